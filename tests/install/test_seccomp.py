"""The seccomp profile: a runtime's default one, its conditions resolved, with bpf(2)."""

import json
import subprocess

from first_byte import ROOT

ALLOW, REFUSE = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
ARGUMENT = [{"index": 0, "value": 2114060288, "op": "SCMP_CMP_MASKED_EQ"}]
DEFAULT = {
    "defaultAction": REFUSE,
    "defaultErrnoRet": 1,
    "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        {"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": None},
    ],
    "syscalls": [
        {"names": ["read", "bind"], "action": ALLOW},
        {"names": ["ptrace"], "action": ALLOW, "includes": {"minKernel": "4.8"}},
        {"names": ["arch_prctl"], "action": ALLOW, "includes": {"arches": ["amd64", "x32"]}},
        {"names": ["cacheflush"], "action": ALLOW, "includes": {"arches": ["arm", "arm64"]}},
        {"names": ["bpf", "mount"], "action": ALLOW, "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["clone"], "action": ALLOW, "args": ARGUMENT,
         "excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390"]}},
        {"names": ["other"], "action": ALLOW, "excludes": {"arches": ["amd64"]}},
        {"names": ["clone3"], "action": REFUSE, "errnoRet": 38, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["bpf", "setns"], "action": REFUSE, "errnoRet": 1, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["bpf"], "action": REFUSE, "errnoRet": 1, "excludes": {"caps": ["CAP_BPF"]}},
    ],
}


def made(arch):
    return subprocess.run(
        ["jq", "--arg", "arch", arch, "-f", ROOT / "contrib/seccomp/p2e.jq"],
        input=json.dumps(DEFAULT), capture_output=True, text=True,
    )


def test_conditions_are_resolved():
    assert json.loads(made("amd64").stdout) == {
        "defaultAction": REFUSE,
        "defaultErrnoRet": 1,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [
            {"names": ["read", "bind"], "action": ALLOW},
            {"names": ["ptrace"], "action": ALLOW},
            {"names": ["arch_prctl"], "action": ALLOW},
            {"names": ["clone"], "action": ALLOW, "args": ARGUMENT},
            {"names": ["clone3"], "action": REFUSE, "errnoRet": 38},
            {"names": ["setns"], "action": REFUSE, "errnoRet": 1},
            {"names": ["bpf"], "action": ALLOW},
        ],
    }


def test_another_architecture():
    profile = json.loads(made("arm64").stdout)
    names = [name for each in profile["syscalls"] for name in each["names"]]
    assert profile["architectures"] == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    assert "cacheflush" in names and "other" in names and "arch_prctl" not in names and "mount" not in names
    assert json.loads(made("riscv64").stdout)["architectures"] == ["SCMP_ARCH_RISCV64"]


def test_unknown_architecture():
    done = made("x86_64")
    assert done.returncode != 0 and "arch is amd64" in done.stderr
