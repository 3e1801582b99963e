"""The Debian packages that `make deb` has built: what is in them, and that it works where it is unpacked."""

import subprocess

import pytest
from first_byte import BUILD, ROOT
from p2e import Home

FOLDER = BUILD / "deb"


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def package(name):
    (path,) = FOLDER.glob(f"{name}_*.deb")
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Both packages, unpacked in a root of their own."""
    root = tmp_path_factory.mktemp("root")
    for folder in (root, *root.parents[:2]):  # those of pytest
        folder.chmod(0o755)
    for name in ("p2e", "libp2e"):
        subprocess.run(["dpkg-deb", "-x", package(name), root], check=True)
    return root


@pytest.fixture
def home():
    home = Home()
    yield home
    home.close()


def test_lintian_finds_nothing():
    (changes,) = FOLDER.glob("*.changes")
    done = subprocess.run(
        ["lintian", "--fail-on", "error,warning", changes], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_library_is_where_ld_so_looks(root):
    """By its name alone, and it needs nothing but libc."""
    (library,) = root.glob("usr/lib/*/libp2e.so")
    assert library.parent.name == output("dpkg-architecture", "-qDEB_HOST_MULTIARCH").strip()
    assert library.stat().st_mode & 0o7777 == 0o644
    assert output("dpkg-deb", "-f", package("libp2e"), "Depends").startswith("libc6 ")
    assert "," not in output("dpkg-deb", "-f", package("libp2e"), "Depends")


def test_library_for_musl_is_where_glibc_does_not_look(root):
    """It is in the package of the library, which does not need musl for it."""
    (library,) = root.glob("usr/lib/*/p2e/musl/libp2e.so")
    assert library.stat().st_mode & 0o7777 == 0o644
    assert "NEEDED" not in output("readelf", "--dynamic", library)


def test_agent_is_not_started_unasked(tmp_path):
    """It is enabled again where it was enabled before, and not started."""
    subprocess.run(["dpkg-deb", "-e", package("p2e"), tmp_path], check=True)
    script = (tmp_path / "postinst").read_text()
    assert "deb-systemd-invoke" not in script
    assert script.index("was-enabled") < script.index("deb-systemd-helper enable")
    assert "debian-installed 'p2e-agent.service'" in script


def test_version(root):
    version = output("dpkg-deb", "-f", package("p2e"), "Version").strip()
    assert output(root / "usr/bin/p2e", "--version") == f"p2e {version}\n"
    assert (ROOT / "debian/changelog").read_text().startswith(f"p2e ({version}) ")


def test_unpacked_command_runs_a_server_filtered(root, home):
    command = root / "usr/bin/p2e"
    assert home.ok("check", command=command)
    script = "import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).bind(sys.argv[1])"
    home.ok("run", "/usr/bin/python3", "-c", script, home.socket, command=command)
    assert home.json("status", command=command)[0]["state"] == "pinned"
