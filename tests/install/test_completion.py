"""Completion in bash (its function called as bash calls it) and zsh."""

import re
import shlex
import subprocess

import pytest
from first_byte import ROOT
from p2e import COMMAND, Home

BASH = ROOT / "completion/p2e.bash"
ZSH = ROOT / "completion/_p2e"
# compopt works within completion alone.
CALL = """
compopt() { echo "compopt $*"; }
source {script}
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_p2e {command} "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def home():
    home = Home(note={}, other={"path": "@other"}, udp={"port": 17001})
    (home.folder / "folder").mkdir()
    yield home
    home.close()


def complete(home, *words, **env):
    """What is offered for the last of the words."""
    script = CALL.replace("() {", "() {{").replace("; }\n", "; }}\n").format(
        script=BASH, command=COMMAND, words=" ".join(map(shlex.quote, [str(COMMAND), *map(str, words)]))
    )
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, cwd=home.folder, env=home.env(**env)
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [line for line in done.stdout.splitlines() if line]


def verbs(home):
    lines = home.ok("help").splitlines()
    return [line.split()[0] for line in lines if line.startswith("  ")]


def test_verbs(home):
    assert set(complete(home, "")) == {*verbs(home), "help", "--version"}
    assert set(complete(home, "e")) == {verb for verb in verbs(home) if verb.startswith("e")}


def test_options_of_each_verb(home):
    for verb in verbs(home):
        text = home.ok(verb, "--help")
        offered = complete(home, verb, "-")
        assert "--help" in offered and "--config" in offered
        for option in offered:
            assert f"{option} " in text
        assert ("--json" in offered) == ("      --json " in text)
    assert complete(home, "eval", "--ma") == ["--max-depth"]


def taken(home, verb):
    """The options that the verb takes, by its own word on each that any verb has."""
    sources = "".join(path.read_text() for path in (ROOT / "cli").glob("*.[ch]"))
    names = {"help", *re.findall(r'{\.name = "([a-z-]+)"', sources)}
    told = {name: home.p2e(verb, f"--{name}=", "--help").stderr for name in names}
    return {f"--{name}" for name, text in told.items() if "unknown option" not in text}


def test_all_options_of_each_verb_are_offered(home):
    for verb in verbs(home):
        options = taken(home, verb)
        assert set(complete(home, verb, "-")) == options
        specs = complete_zsh(home, verb, "-")
        assert {found[0] for spec in specs if (found := re.search("--[a-z-]+", spec))} == options


@pytest.mark.parametrize("before", [["-f"], ["--filter"]])
def test_filters_of_the_configuration(home, before):
    assert complete(home, "eval", *before, "") == ["note", "other", "udp"]
    assert complete(home, "eval", *before, "o") == ["other"]


def test_filters_of_the_configuration_that_is_named(home):
    other = Home(elsewhere={})
    try:
        assert complete(home, "eval", "-c", other.conf, "-f", "") == ["elsewhere"]
        assert complete(home, "eval", "--config", other.conf, "-f", "") == ["elsewhere"]
        assert complete(home, "eval", "-f", "", P2E_CONFIG=str(other.conf)) == ["elsewhere"]
    finally:
        other.close()


def test_no_configuration_no_filters(home):
    assert complete(home, "eval", "-f", "", P2E_CONFIG="/nonexistent") == []


def test_files_and_folders(home):
    offered = complete(home, "check", "-c", "")
    assert offered[0] == "compopt -o filenames" and {"p2e.conf", "note.proto", "folder"} <= set(offered)
    assert "p2e.conf" not in complete(home, "compile", "-o", "")
    assert "folder" in complete(home, "compile", "-o", "")
    assert complete(home, "eval", "--schema", "note") == ["compopt -o filenames", "note.proto"]


def test_values_that_are_words(home):
    assert complete(home, "eval", "--format", "") == ["hex", "raw"]


def test_values_without_a_list(home):
    assert complete(home, "eval", "--rule", "") == []


def test_command_of_run(home):
    assert "env" in complete(home, "run", "en")
    assert "env" in complete(home, "run", "--", "en")
    assert "env" in complete(home, "run", "-c", "p2e.conf", "en")
    assert complete(home, "run", "env", "note") == ["compopt -o filenames", "note.proto"]
    assert complete(home, "run", "env", "-c", "note") == ["compopt -o filenames", "note.proto"]


def test_verb_that_is_not_there(home):
    assert complete(home, "frobnicate", "-") == []


def test_zsh_syntax():
    subprocess.run(["zsh", "-n", ZSH], check=True)


# What the function would have zsh offer: zsh's own part is replaced.
ZSH_CALL = """
setopt extendedglob
_arguments() { printf '%s\\n' "$@" }
_describe() { printf '%s\\n' "${(@P)2}" }
compadd() { printf '%s\\n' "${(@P)2}" }
words=({words})
CURRENT=$#words
source {script}
{after}
"""


def complete_zsh(home, *words, after=""):
    script = ZSH_CALL.replace("{script}", str(ZSH)).replace("{after}", after).replace(
        "{words}", " ".join(map(shlex.quote, [str(COMMAND), *words]))
    )
    done = subprocess.run(
        ["zsh", "-f", "-c", script], capture_output=True, text=True, cwd=home.folder, env=home.env()
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_zsh_verbs(home):
    offered = complete_zsh(home, "")
    assert [line.split(":")[0] for line in offered] == verbs(home)
    assert all(line.split(":", 1)[1] for line in offered)


def test_zsh_options(home):
    specs = complete_zsh(home, "compile", "-")
    assert "*--json[print as JSON: [{\"filter\", \"result\", \"error\"}, …]]".replace("[{", "({").replace(
        "…]]", "…)]").replace(": (", "\\: (") in specs
    assert "*-o+[where to, instead of the configuration's object_dir]:folder:_files -/" in specs
    specs = complete_zsh(home, "eval", "-")
    (letter,) = [spec for spec in specs if spec.startswith("*-f+")]
    (word,) = [spec for spec in specs if spec.startswith("*--filter=")]
    assert letter.endswith(":filter:_p2e_filters") and word.endswith(":filter:_p2e_filters")
    (values,) = [spec for spec in specs if spec.startswith("*--format=")]
    assert values.endswith(":value:(hex raw)")
    assert any(spec.endswith("]:address\\:port: ") for spec in complete_zsh(home, "agent", "-"))


def test_zsh_filters(home):
    after = f"_p2e_command={COMMAND}; typeset -A opt_args; _p2e_filters"
    assert complete_zsh(home, "", after=after)[-3:] == ["note", "other", "udp"]


def test_zsh_command_of_run(home):
    assert "(-)1:command:_command_names -e" in complete_zsh(home, "run", "")
