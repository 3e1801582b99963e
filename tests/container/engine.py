"""Podman on a machine within this one: storage, bpffs, configuration, mounts and processes are in
namespaces that end with their first process, and nothing outlives it."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import urllib.request

from first_byte import BUILD, ROOT

TOOLS = ("podman", "crun", "debootstrap", "jq")
BASE = "docker.io/library/debian:bookworm-slim"
MIRROR = "http://deb.debian.org/debian"  # debootstrap's own default
PATIENCE = 900  # seconds; only a broken run meets it

# What Debian's image for containers has, and what makes unpacking in it fast.
DPKG = {
    "docker-apt-speedup": "force-unsafe-io\n",
    "docker": "".join(f"path-exclude /usr/share/{name}/*\n" for name in ("doc", "man", "locale", "info")),
}

# No service manager has to be there, and no cgroup that is ours.
CONTAINERS_CONF = """
[containers]
cgroups = "disabled"
default_ulimits = [ "nofile=1024:1024", "nproc=1024:1024" ]
log_driver = "k8s-file"
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "crun"
"""
POLICY = '{ "default": [ { "type": "insecureAcceptAnything" } ] }'

# The first process. Under /run others find what they need, and what is made there goes away.
# Runtimes want to see one hierarchy of cgroups, even where they use none.
SETUP = """
set -e
mkdir -p /var/lib/containers
mount --bind "$1/etc" /etc/containers
mount --bind "$1/storage" /var/lib/containers
mount -t tmpfs tmpfs "$1/run"
mkdir "$1/run/new" "$1/run/work"
mount -t overlay -o "lowerdir=/run,upperdir=$1/run/new,workdir=$1/run/work" overlay /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf -o mode=0700 bpf /sys/fs/bpf
echo ready
read -r end
"""


def missing():
    """What is missing here, as one sentence; None when all is there."""
    if os.geteuid() != 0:
        return "containers are made by root"
    for tool in TOOLS:
        if not shutil.which(tool):
            return f"{tool} is missing: run ./deps.sh test"
    try:
        urllib.request.urlopen(f"{MIRROR}/dists/bookworm/Release", timeout=30).close()
    except OSError as error:
        return f"Debian's packages cannot be fetched: {MIRROR}: {error}"
    return None


# ---- The base ------------------------------------------------------------------------------------
def base():
    """A minimal Debian as an archive. It is made once, and is there whole or not at all."""
    archive = BUILD / "container/base.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        new = archive.with_name(f"new-{os.getpid()}")
        try:
            make_base(new / "root", new / "base.tar")
            os.rename(new / "base.tar", archive)
        finally:
            shutil.rmtree(new)
    return archive


def make_base(root, archive):
    settings = root / "etc/dpkg/dpkg.cfg.d"
    settings.mkdir(parents=True)
    for name, text in DPKG.items():
        (settings / name).write_text(text)
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", "bookworm", root, MIRROR], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr
    subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)


# ---- The machine ---------------------------------------------------------------------------------
class Machine:
    """`folder` gets its storage, and may be removed once the machine has ended."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("etc", "storage", "run"):
            (folder / name).mkdir()
        (folder / "etc/containers.conf").write_text(CONTAINERS_CONF)
        (folder / "etc/policy.json").write_text(POLICY)
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self.process = subprocess.Popen(
            [*namespaces, "sh", "-c", SETUP, "sh", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout.readline() == b"ready\n"
        process = pathlib.Path(f"/proc/{self.process.pid}")
        (self.first,) = (process / f"task/{process.name}/children").read_text().split()

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()

    def path(self, path):
        """A path of the machine, from here."""
        return pathlib.Path(f"/proc/{self.first}/root{path}")

    def run(self, *command, cwd="/", **options):
        """Runs a command to its end: what it printed."""
        enter = ["nsenter", "--target", self.first, "--mount", "--pid", "env", f"--chdir={cwd}"]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        done = subprocess.run(
            [*enter, *map(str, command)], timeout=PATIENCE, stdin=subprocess.DEVNULL, **options
        )
        assert done.returncode == 0, (command, done.stdout[-4000:], (done.stderr or "")[-4000:])
        return done.stdout

    def podman(self, *arguments, **options):
        return self.run("podman", *arguments, **options)

    def build(self, *arguments, cwd=ROOT):
        """Steps have the network, to install packages; what they are built on is here."""
        options = ["--isolation=chroot", "--network=host", "--pull=never"]
        return self.podman("build", *options, *arguments, cwd=cwd)


@contextlib.contextmanager
def machine(folder):
    """A machine that has the base."""
    archive = base()
    it = Machine(folder)
    try:
        it.podman("import", archive, BASE)
        yield it
    finally:
        it.close()
