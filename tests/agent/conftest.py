"""What the agent's tests share: two rules with their objects, compiled once, and a home that has one."""

import shutil

import pytest
from keeping import RULES, keep, schema_set
from p2e import Home


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A folder of objects for each rule, for a filter "note" of a UNIX socket, and for one of UDP."""
    folder = tmp_path_factory.mktemp("prepared")
    for transport, place in {"unixgram": {}, "udp": {"port": 17000}}.items():
        home = Home()
        schema_set(home)
        for name in RULES:
            keep(home, name, **place)
            home.ok("compile")
            shutil.copytree(home.folder / f"objects-{name}", folder / transport / f"objects-{name}")
        home.close()
    return folder


def copy(prepared, transport):
    home = Home()
    schema_set(home)
    shutil.copytree(prepared / transport, home.folder, dirs_exist_ok=True)
    return home


@pytest.fixture
def home(prepared):
    """Configured with rule A; nothing in it has to be compiled, B neither."""
    home = copy(prepared, "unixgram")
    keep(home, "A")
    yield home
    home.close()


@pytest.fixture
def udp_home(prepared):
    """Of a UDP port, which is for the test to choose."""
    home = copy(prepared, "udp")
    yield home
    home.close()
