"""The pages in man/: they name all that there is, and are well-formed."""

import re
import subprocess

import pytest
from first_byte import ROOT
from p2e import COMMAND

PAGES = sorted((ROOT / "man").iterdir())


def shown(name):
    """A page as it is read, in plain text."""
    text = subprocess.run(
        ["mandoc", "-Tutf8", "-Owidth=1000", ROOT / "man" / name], capture_output=True, text=True, check=True
    ).stdout
    return re.sub(".\b", "", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nothing_is_found_fault_with(page):
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def help_of(*words):
    done = subprocess.run([COMMAND, *words], capture_output=True, text=True, check=True)
    return done.stdout


def verbs():
    return re.findall(r"^  ([a-z]+) ", help_of("help"), re.MULTILINE)


def test_every_verb_and_option_is_told():
    text = shown("p2e.1")
    description = text[text.index("\nVERBS\n"):text.index("\nENVIRONMENT\n")]
    for verb in verbs():
        assert f"\n     p2e {verb} " in text
        assert re.search(rf"^     {verb}(  |$)", description, re.MULTILINE), verb
        for option in re.findall(r"^ +(?:-\w, )?(--[a-z-]+) ", help_of(verb, "--help"), re.MULTILINE):
            assert option in text, (verb, option)
            letter = re.search(rf"(-\w), {option} ", help_of(verb, "--help"))
            assert not letter or f"{letter[1]}, {option}" in text


def keys_of_the_documentation():
    """First cells of the tables whose header says that they are of keys."""
    keys, inside = [], False
    for line in (ROOT / "docs/config.md").read_text().splitlines():
        if line.startswith("| key "):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and (key := re.match(r"\| `(\w+)`", line)):
            keys.append(key[1])
    return keys


def test_every_key_is_told():
    keys = keys_of_the_documentation()
    assert len(keys) > 15
    text = shown("p2e.conf.5")
    for key in keys:
        assert re.search(rf"^     {key}(  |$)", text, re.MULTILINE), key


def test_every_variable_of_the_environment_is_told():
    text = (ROOT / "docs/config.md").read_text()
    variables = re.findall(r"`(P2E_[A-Z_]+)`", text[text.index("## Environment"):])
    told = shown("p2e.1") + shown("libp2e.8")
    assert variables
    assert [variable for variable in variables if variable not in told] == []
