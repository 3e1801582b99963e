"""Servers without a config: what is pinned and published for them, and how they are seen to be filtered by it."""

import contextlib
import os
import socket

import pytest
from first_byte import UNPRIVILEGED, Site
from serving import GOOD, MESSAGES, Run, converse

CONFIG = "/etc/p2e/p2e.conf"
WITHOUT_CONFIG = pytest.mark.skipif(os.path.exists(CONFIG), reason="this machine has a config")


def publish(site):
    """Pins all filters and publishes them, as root does."""
    for name in site.filters:
        assert site.tool("program", site.conf, name).returncode == 0
    assert site.tool("publish", site.conf).stdout == ""
    return site


def pinned(**filters):
    """A site whose filters are pinned and published, to be closed; `agent` is where one may listen."""
    site = publish(Site(**filters).compile())
    site.agent = site.folder / "run" / "agent.sock"
    return site


def published(**filters):
    """The same, for `with`."""
    return contextlib.closing(pinned(**filters))


def with_default_config(site, prepare):
    """A command prefix: a mount namespace in which /etc/p2e/p2e.conf is what `prepare` writes."""
    folder = site.folder / "etc" / "p2e"
    folder.mkdir(parents=True)
    prepare(folder / "p2e.conf")
    script = f'mount -t overlay overlay -o lowerdir={site.folder}/etc:/etc /etc && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh", *UNPRIVILEGED]


# ---- What a server does ------------------------------------------------------------------------------
def receives(command, port, lines=GOOD):
    """It is served by a UDP port, and that is what the server gets of MESSAGES."""
    run = converse(command, port)
    assert (run.first, run.lines, run.errors) == ("ready", lines, "")


def receives_by_unix(command, transport, address):
    """The same by a UNIX socket, of what is good."""
    kind = socket.SOCK_DGRAM if transport == "unixgram" else socket.SOCK_SEQPACKET
    run = Run(command)
    assert run.first == "ready"
    with socket.socket(socket.AF_UNIX, kind) as client:
        client.connect("\0" + address[1:] if address[0] == "@" else address)
        assert transport == "unixgram" or run.line() == "accepted"
        for message in [*MESSAGES, b"end"]:
            client.send(message)
        run.finish()
    assert (run.lines, run.errors) == (GOOD, "")


def is_refused(command, port):
    """It cannot bind, and one line says why: that."""
    run = converse(command, port)
    assert run.first == "bind: EACCES"
    assert run.errors.startswith("p2e: ") and run.errors.count("\n") == 1
    assert run.errors.endswith("; the socket is refused\n")
    return run.errors
