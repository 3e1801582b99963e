"""Debian's kernels under qemu's software emulation: no privilege, no network, nothing installed."""

import io
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "cpio": "cpio",
    "setpriv": "util-linux",
}
DEADLINE = 180  # seconds from switching on to off; only a broken run meets it
FOLDERS = ["bin", "dev", "out", "proc", "sys", "tmp"]


class Missing(Exception):
    """What is needed and not here, as one sentence."""


def check_tools():
    for tool, package in TOOLS.items():
        if not shutil.which(tool):
            raise Missing(f"{tool} is missing: apt-get install {package}")


# ---- Kernels -------------------------------------------------------------------------------------
def image_package(meta):
    """linux-image-amd64 is an empty package that depends on the newest one of its series."""
    shown = subprocess.run(["apt-cache", "depends", meta], capture_output=True, text=True)
    for line in shown.stdout.splitlines():
        if "Depends: linux-image-" in line:
            return line.split()[-1]
    raise Missing(f"apt knows no package {meta}")


def unpack_image(package, target):
    """Downloads the package, which is not installed, and takes the kernel out of it."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise Missing(f"cannot download {package}: {done.stderr.strip()}")
        (deb,) = pathlib.Path(folder).glob("*.deb")
        read = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
        with read, tarfile.open(fileobj=read.stdout, mode="r|") as files:
            for member in files:
                if member.name.startswith("./boot/vmlinuz-"):
                    image = files.extractfile(member).read()
    part = target.with_suffix(".part")
    part.write_bytes(image)
    part.rename(target)


def find_kernel(meta, cache):
    package = image_package(meta)
    target = cache / package.replace("linux-image-", "vmlinuz-")
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        unpack_image(package, target)
    return target


def kernel(meta, cache):
    """The kernel image that `meta` stands for; kept in `cache`. What apt knows may be old, or nothing."""
    try:
        return find_kernel(meta, cache)
    except Missing:
        subprocess.run(["apt-get", "-q", "update"], capture_output=True)
        return find_kernel(meta, cache)


# ---- The guest's files ---------------------------------------------------------------------------
def libraries(program):
    """The shared libraries that a program or library needs."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return {word for line in listed.splitlines() for word in line.split() if word.startswith("/")}


def put(root, source, target):
    target = root / str(target).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def stage(root, work, programs):
    """A root with busybox, the folder `work` and what its programs need, all in their places."""
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
    put(root, HERE / "init.sh", "init")
    (root / "init").chmod(0o755)
    put(root, shutil.which("busybox"), "bin/busybox")
    (root / "bin/sh").symlink_to("busybox")
    programs = [*programs, shutil.which("setpriv")]
    put(root, programs[-1], "usr/bin/setpriv")
    shutil.copytree(work, root / str(work).lstrip("/"))
    for library in set().union(*map(libraries, programs)):
        put(root, library, library)


def initramfs(work, programs, target):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder) / "root"
        stage(root, work, programs)
        names = [".", *(str(path.relative_to(root)) for path in sorted(root.rglob("*")))]
        with target.open("wb") as archive:
            subprocess.run(
                ["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"],
                cwd=root, input="\n".join(names).encode(), stdout=archive, check=True,
            )


# ---- Running -------------------------------------------------------------------------------------
def boot(image, archive, work, folder):
    """Boots, runs work/work.sh, and returns what that left, by name; the console is in `folder`."""
    console, results = folder / "console", folder / "results"
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"]
    command += ["-m", "1024", "-display", "none", "-nic", "none", "-no-reboot"]
    command += ["-kernel", image, "-initrd", archive]
    command += ["-append", f"console=ttyS0 quiet panic=-1 work={work}"]
    command += ["-serial", f"file:{console}", "-serial", f"file:{results}"]
    try:
        subprocess.run(command, check=True, timeout=DEADLINE)
        with tarfile.open(fileobj=io.BytesIO(results.read_bytes())) as files:
            return {
                pathlib.Path(member.name).name: files.extractfile(member).read().decode()
                for member in files
                if member.isfile()
            }
    except (subprocess.SubprocessError, tarfile.TarError) as error:
        said = console.read_text(errors="replace")[-3000:] if console.exists() else ""
        raise AssertionError(f"{image.name}: {error}; its console ends with:\n{said}") from error
