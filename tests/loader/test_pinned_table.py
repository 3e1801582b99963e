"""The published table in bpffs: written in one step under a lock, read by anybody, trusted only where nobody
else could have written it."""

import os
import stat
import struct
import subprocess
import zlib

import pytest
from first_byte import BPFFS, NO_BPFFS, NOBODY, ROOT_WITHOUT_BPF, TOOL, UNPRIVILEGED, Site

MAP = "p2e_published"
LISTING = "udp first\nunixgram second\n"


@pytest.fixture
def site():
    site = Site(
        first={"transport": "udp", "port": ["53", "8000-8010"], "program": "named"},
        second={"transport": "unixgram", "path": "/run/second.sock"},
    )
    yield site
    site.close()


@pytest.fixture
def published(site):
    assert site.tool("publish", site.conf).returncode == 0
    return site


def table(site):
    return site.pin_dir / "~published"


def listing(site, prefix=UNPRIVILEGED):
    return site.tool("published", site.pin_dir, prefix=prefix).stdout


def said(site, prefix=UNPRIVILEGED):
    done = site.tool("published", site.pin_dir, prefix=prefix)
    assert done.returncode == 1 and done.stdout.startswith("error: ")
    return done.stdout


# ---- Writing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", ["022", "077"])
def test_whoever_may_do_nothing_may_read_it(site, umask):
    prefix = ["sh", "-c", f'umask {umask}; exec "$@"', "sh"]
    assert site.tool("publish", site.conf, prefix=prefix).returncode == 0
    assert listing(site) == LISTING
    assert stat.S_IMODE(table(site).stat().st_mode) == 0o444
    assert stat.S_IMODE(site.pin_dir.stat().st_mode) == 0o755


def test_a_new_one_takes_the_place_of_the_old(published):
    published.configure(third={"transport": "unixseq", "path": "@third"})
    assert published.tool("publish", published.conf).returncode == 0
    assert listing(published) == "unixseq third\n"
    assert published.pinned() == ["~published"]


def test_it_stands_beside_the_pins(published):
    published.compile("second")
    assert published.tool("program", published.conf, "second").stdout == "pinned\n"
    assert published.pinned() == ["second", "~published"]
    assert listing(published) == LISTING


def test_nobody_changes_it_afterwards(published):
    """Not even root, who gets a descriptor for writing: the map is frozen."""
    done = published.tool("overwrite", table(published))
    assert done.stdout == "EPERM\n"


@pytest.mark.parametrize("prefix", [UNPRIVILEGED, ROOT_WITHOUT_BPF])
def test_publishing_needs_privilege(site, prefix):
    done = site.tool("publish", site.conf, prefix=prefix)
    assert done.returncode == 1
    assert "cannot publish: this needs CAP_BPF and CAP_PERFMON; run it as root" in done.stdout
    assert not site.pin_dir.exists()


def test_publishing_needs_a_bpffs(site):
    done = site.tool("publish", site.conf, prefix=NO_BPFFS)
    assert done.returncode == 1 and "is not on a bpffs" in done.stdout


def test_one_writer_at_a_time(published):
    """While the lock is held nothing is written; readers do not care."""
    published.configure(third={"transport": "unixseq", "path": "@third"})
    command = [TOOL, "lock", published.pin_dir]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"locked\n"
        with subprocess.Popen(
            [TOOL, "publish", published.conf], stdout=subprocess.PIPE, text=True
        ) as writer:
            with pytest.raises(subprocess.TimeoutExpired):
                writer.wait(0.5)
            assert listing(published) == LISTING
            holder.stdin.close()
            assert writer.wait(60) == 0
    assert listing(published) == "unixseq third\n"


def test_a_lock_that_is_never_given_back(published):
    """The writer does not wait without end."""
    before = table(published).stat().st_ino
    published.configure(third={"transport": "unixseq", "path": "/run/third"})
    command = [TOOL, "lock", published.pin_dir]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"locked\n"
        done = published.tool("publish", published.conf)
        holder.stdin.close()
    assert done.returncode == 1 and "has kept the pin folder" in done.stdout
    assert table(published).stat().st_ino == before
    assert published.pinned() == ["~published"]


# ---- Reading: nothing there --------------------------------------------------------------------------


def test_no_folder(site):
    assert listing(site) == "none\n"


def test_no_table(site):
    site.pin_dir.mkdir()
    assert listing(site) == "none\n"


def test_no_bpffs(published):
    assert listing(published, [*NO_BPFFS, *UNPRIVILEGED]) == "none\n"


# ---- Reading: something else there -------------------------------------------------------------------


def table_bytes(site):
    done = subprocess.run([TOOL, "bytes", site.conf], capture_output=True, check=True)
    return done.stdout


def forge(site, data, name=MAP):
    """Pins a table of these bytes."""
    site.pin_dir.mkdir(exist_ok=True)
    path = site.folder / "forged"
    path.write_bytes(data)
    assert site.tool("forge", table(site), path, name).returncode == 0
    table(site).chmod(0o444)


def sealed(data):
    """With the checksum that a forger would put in."""
    data = data[:24] + bytes(4) + data[28:]
    return data[:24] + struct.pack("<I", zlib.crc32(data)) + data[28:]


def test_the_forger_here_can_make_a_good_one(site):
    """Or what follows would show nothing."""
    forge(site, table_bytes(site))
    assert listing(site) == LISTING
    table(site).unlink()
    forge(site, sealed(table_bytes(site)))
    assert listing(site) == LISTING


@pytest.mark.parametrize(
    "change, what",
    [
        (lambda data: data[:-1], "bad sizes"),
        (lambda data: data[:20], "does not hold a published table"),
        (lambda data: data + b"\0", "bad sizes"),
        (lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:], "checksum is wrong"),
        (lambda data: sealed(b"XXXX" + data[4:]), "does not hold a published table"),
        (lambda data: sealed(data[:4] + struct.pack("<I", 2) + data[8:]), "is of ABI 2"),
        (lambda data: sealed(data[:28] + b"\xff" * 4 + data[32:]), "a text lies outside"),
        (lambda data: bytes(len(data)), "does not hold a published table"),
    ],
)
def test_a_table_that_is_damaged(site, change, what):
    forge(site, change(table_bytes(site)))
    assert what in said(site) and str(table(site)) in said(site)


def test_a_map_of_another_name(site):
    forge(site, table_bytes(site), "somebody")
    assert "is not p2e's: not trusted" in said(site)


def test_a_map_of_another_kind(site):
    """A filter's own: of its options, of its states, its program."""
    site.compile("second")
    assert site.tool("program", site.conf, "second").returncode == 0
    for pin in "options", "slot", "entry":
        os.rename(site.pin_dir / "second" / pin, table(site))
        assert "is not p2e's: not trusted" in said(site)


def test_a_symbolic_link(published):
    """Even to a good table."""
    os.rename(table(published), published.pin_dir / "~other")
    table(published).symlink_to(published.pin_dir / "~other")
    assert "is not a pin of root's: not trusted" in said(published)


def test_a_folder_in_its_place(site):
    table(site).mkdir(parents=True)
    assert "is not a pin of root's: not trusted" in said(site)


def test_a_table_of_another_user(published):
    os.chown(table(published), NOBODY, NOBODY)
    assert "is not a pin of root's: not trusted" in said(published, [])
    assert listing(published) == LISTING  # to that user it is its own


def test_a_folder_of_another_user(published):
    os.chown(published.pin_dir, NOBODY, NOBODY)
    assert "belongs to user 65534, not to root: not trusted" in said(published, [])


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777])
def test_a_folder_that_others_may_write(published, mode):
    """A sticky one, too: a link to another map of root's can be put there."""
    published.pin_dir.chmod(mode)
    assert "can be written by others" in said(published)


def test_a_link_for_a_folder(published):
    real, published.pin_dir = published.pin_dir, BPFFS / f"{published.pin_dir.name}-link"
    published.pin_dir.symlink_to(real)
    try:
        assert "is not a folder: not trusted" in said(published)
    finally:
        published.pin_dir.unlink()
        published.pin_dir = real


def test_a_folder_that_is_not_on_a_bpffs(site):
    site.pin_dir = site.folder / "pins"
    site.pin_dir.mkdir()
    assert "is not on a bpffs" in said(site)
