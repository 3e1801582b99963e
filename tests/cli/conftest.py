"""What the command's tests share: a home for each test, compiled or not."""

import shutil

import pytest
from p2e import Home


@pytest.fixture
def home():
    home = Home()
    yield home
    home.close()


@pytest.fixture(scope="session")
def compiled_objects(tmp_path_factory):
    """The objects of the default home: compiled once, for all."""
    home = Home()
    home.compile_all()
    folder = tmp_path_factory.mktemp("objects") / "objects"
    shutil.copytree(home.objects, folder)
    home.close()
    return folder


@pytest.fixture
def compiled(home, compiled_objects):
    """A home whose object is up to date."""
    shutil.copytree(compiled_objects, home.objects, dirs_exist_ok=True)
    return home
