"""A p2e site without the compiler: objects of tests/loader/first_byte.bpf.c, whose one rule is that the
first byte of a message is not 'A'. Config, objects and pins are in folders of their own."""

import json
import os
import pathlib
import secrets
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("P2E_BUILD", "build")
SANITIZED = "sanitize" in str(BUILD)
TOOL = BUILD / "tests/loader/tool"
SHIM = BUILD / "libp2e.so"
SOURCE = ROOT / "tests/loader/first_byte.bpf.c"
BPFFS = pathlib.Path("/sys/fs/bpf")
LOCK = "~lock"  # in each pin folder
NOBODY = 65534

# Command prefixes that take rights away.
UNPRIVILEGED = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", "--bounding-set=-all"]
ROOT_WITHOUT_BPF = ["setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin"]
NO_BPFFS = ["unshare", "--mount", "sh", "-c", 'umount /sys/fs/bpf; exec "$@"', "sh"]


def sanitizer_libraries():
    """A sanitized library works only where its runtime comes first."""
    if not SANITIZED:
        return []
    names = ("libasan.so", "libubsan.so")
    return [
        subprocess.run(
            ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in names
    ]


class Site:
    """Filters by name; each is a dict of config keys, with these defaults."""

    DEFAULTS = {"schema": "first.proto", "message": "test.First", "rules": ["true"]}

    def __init__(self, **filters):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="p2e-test-"))
        self.folder.chmod(0o755)
        self.objects = self.folder / "objects"
        self.objects.mkdir()
        self.pin_dir = BPFFS / f"p2e-test-{secrets.token_hex(4)}"
        self.conf = self.folder / "p2e.conf"
        self.configure(**filters)

    def close(self):
        shutil.rmtree(self.pin_dir, ignore_errors=True)
        shutil.rmtree(self.folder)

    def pinned(self):
        """What is in pin_dir, but for the lock, which stays there."""
        return sorted(path.name for path in self.pin_dir.iterdir() if path.name != LOCK)

    # ---- Config and objects ----------------------------------------------------------------------
    def configure(self, **filters):
        """Writes the config. Objects of an older one may be stale then, as in life."""
        self.filters = filters
        blocks = []
        for name, keys in filters.items():
            keys = {"name": name, **self.DEFAULTS, **keys}
            # JSON's strings, numbers and lists of them are libconfig's too.
            blocks.append("{ %s }" % " ".join(f"{k} = {json.dumps(v)};" for k, v in keys.items()))
        self.conf.write_text(
            f'object_dir = "{self.objects}";\npin_dir = "{self.pin_dir}";\n'
            f"filters = ( {', '.join(blocks)} );\n"
        )

    def compile(self, *names, **defines):
        """Makes the objects of these filters (of all); FORBIDDEN=66 and the like go to clang."""
        for name in names or self.filters:
            elf = self.folder / "clang.o"
            texts = {"NAME": name, "CANONICAL": self.tool("canonical", self.conf, name).stdout}
            given = [f"-DFIXTURE_{k}={json.dumps(v)}" for k, v in {**texts, **defines}.items()]
            multiarch = "-I/usr/include/x86_64-linux-gnu"
            subprocess.run(
                ["clang", "-target", "bpf", "-O2", "-g", f"-I{ROOT}", multiarch, *given]
                + ["-c", SOURCE, "-o", elf],
                check=True,
            )
            built = self.tool("build", elf, self.object(name))
            assert built.returncode == 0, built.stdout
        return self

    def object(self, name):
        return self.objects / f"{name}.bpf.o"

    # ---- Running ---------------------------------------------------------------------------------
    def tool(self, *arguments, prefix=(), **options):
        command = [*prefix, TOOL, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)

    def environment(self, **more):
        preload = ":".join([*sanitizer_libraries(), str(SHIM)])
        env = {**os.environ, "LD_PRELOAD": preload, "P2E_CONFIG": str(self.conf)}
        if SANITIZED:
            env["ASAN_OPTIONS"] = "detect_leaks=0"
        return {k: v for k, v in {**env, **more}.items() if v is not None}

    def preloaded(self, prefix=()):
        """`prefix`, then env(1), which sets the preload for what follows it and not for the prefix."""
        names = ("LD_PRELOAD", "P2E_CONFIG", "ASAN_OPTIONS")
        env = self.environment()
        return [*prefix, "env", *(f"{n}={env[n]}" for n in names if n in env)]

    def without_config(self, prefix=(), **variables):
        """The same for a process that has no config, but these variables."""
        env = {**self.environment(), **variables}
        names = ("LD_PRELOAD", "ASAN_OPTIONS", *variables)
        return [*prefix, "env", "-u", "P2E_CONFIG", *(f"{n}={env[n]}" for n in names if n in env)]
