"""make install and uninstall, and that what was installed works where it is."""

import os
import re
import subprocess

import pytest
from first_byte import BUILD, ROOT
from p2e import Home

MULTIARCH = subprocess.run(
    ["gcc", "-print-multiarch"], capture_output=True, text=True, check=True
).stdout.strip()


def make(*arguments):
    command = ["make", "-s", f"BUILD={BUILD.relative_to(ROOT)}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


@pytest.fixture
def home():
    home = Home()
    yield home
    home.close()


def test_files_and_modes(tmp_path):
    os.umask(0o022)
    make("install", f"DESTDIR={tmp_path}")
    installed = files(tmp_path / "usr/local")
    assert files(tmp_path) == [f"usr/local/{name}" for name in installed]
    assert {
        "bin/p2e", "lib/libp2e.so", "lib/systemd/system/p2e-agent.service", "share/man/man1/p2e.1",
        "share/man/man5/p2e.conf.5", "share/man/man8/libp2e.8", "share/doc/p2e/p2e.conf.sample",
        "share/doc/p2e/examples/p2e-preload.conf", "share/bash-completion/completions/p2e",
        "share/zsh/site-functions/_p2e",
    } <= set(installed)
    for name in installed:
        mode = (tmp_path / "usr/local" / name).stat().st_mode & 0o7777
        assert mode == (0o755 if name == "bin/p2e" else 0o644), name


def test_library_for_musl_goes_where_it_was_built(tmp_path):
    """In a folder of its own, where glibc's loader does not look; without it, nothing is missed."""
    build = tmp_path / "build"
    make("install", f"DESTDIR={tmp_path}/without", f"MUSL={build}")
    assert not (tmp_path / "without/usr/local/lib/p2e").exists()
    build.mkdir()
    (build / "libp2e.so").write_text("library")
    make("install", f"DESTDIR={tmp_path}/with", f"MUSL={build}")
    installed = tmp_path / "with/usr/local/lib/p2e/musl/libp2e.so"
    assert (installed.read_text(), installed.stat().st_mode & 0o7777) == ("library", 0o644)


def test_uninstall_leaves_what_is_not_its_own(tmp_path):
    make("install", f"DESTDIR={tmp_path}", "prefix=/usr")
    other = tmp_path / "usr/share/doc/p2e/other"
    other.write_text("")
    make("uninstall", f"DESTDIR={tmp_path}", "prefix=/usr")
    assert files(tmp_path) == [str(other.relative_to(tmp_path))]


def test_unit_runs_what_was_installed(tmp_path):
    make("install", f"DESTDIR={tmp_path}", "prefix=/opt/p2e")
    unit = (tmp_path / "opt/p2e/lib/systemd/system/p2e-agent.service").read_text()
    assert "\nExecStart=/opt/p2e/bin/p2e agent --socket /run/p2e/agent.sock\n" in unit


@pytest.mark.parametrize("libdir", ["lib", f"lib/{MULTIARCH}"])
def test_installed_command_finds_its_library(home, tmp_path, libdir):
    """A server that it runs is filtered: the program is pinned."""
    tmp_path.chmod(0o755)
    make("install", f"DESTDIR={tmp_path}", "prefix=/usr", f"libdir=/usr/{libdir}")
    command = tmp_path / "usr/bin/p2e"
    script = "import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).bind(sys.argv[1])"
    home.ok("run", "/usr/bin/python3", "-c", script, home.socket, command=command)
    assert home.json("status", command=command)[0]["state"] == "pinned"


def test_configuration_that_the_docs_have_one_install_is_for_all_to_read(tmp_path):
    """Servers read it, whoever they are."""
    (step,) = re.findall("`(install .*?)`", (ROOT / "docs/install.md").read_text())
    step = step.replace("/usr/share/doc/p2e/", f"{ROOT}/config/").replace(" /etc/", f" {tmp_path}/")
    subprocess.run(step.split(), check=True)
    assert (tmp_path / "p2e/p2e.conf").stat().st_mode & 0o7777 == 0o644


def test_docs_name_the_unit_that_is_installed():
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "man").iterdir(), *(ROOT / "contrib/systemd").iterdir()]
    named = {name for page in pages for name in re.findall(r"[\w@-]+\.service\b", page.read_text())}
    assert named == {"p2e-agent.service", "SERVER.service"}


def test_unit_has_no_more_than_the_agent_uses():
    unit = (ROOT / "contrib/systemd/p2e-agent.service").read_text()
    (capabilities,) = re.findall("^CapabilityBoundingSet=(.*)", unit, re.M)
    (families,) = re.findall("^RestrictAddressFamilies=(.*)", unit, re.M)
    assert capabilities.split() == ["CAP_BPF", "CAP_PERFMON", "CAP_DAC_OVERRIDE"]
    assert families.split() == ["AF_UNIX", "AF_INET", "AF_INET6"]


def test_units_are_well_formed(tmp_path):
    """systemd's own word on them, the command being where the unit says."""
    make("install", f"DESTDIR={tmp_path}", "prefix=/usr")
    folder = tmp_path / "etc/systemd/system"
    drop_ins = folder / "p2e-agent.service.d"
    drop_ins.mkdir(parents=True)
    unit = (ROOT / "contrib/systemd/p2e-agent.service").read_text().replace("/usr/bin/p2e", "/bin/true")
    (folder / "p2e-agent.service").write_text(unit)
    drop_in = (ROOT / "contrib/systemd/p2e-preload.conf").read_text()
    (drop_ins / "p2e.conf").write_text("\n".join(
        line for line in drop_in.splitlines() if "p2e-agent.service" not in line
    ))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", folder / "p2e-agent.service"],
        capture_output=True, text=True,
    )
    assert not [line for line in done.stderr.splitlines() if "p2e" in line]
