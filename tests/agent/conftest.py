"""What the tests of agent/ share with those of the command: a home, compiled or not."""

import pytest
from p2e import Home


@pytest.fixture
def home():
    home = Home()
    yield home
    home.close()


@pytest.fixture
def compiled(home):
    """A home whose object is up to date."""
    return home.compile_all()
