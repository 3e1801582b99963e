"""What every verb has in common: help, the command line, the config, the output."""

import os
import pathlib
import re

import pytest
from first_byte import UNPRIVILEGED

VERBS = [
    "check", "compile", "run", "load", "reload", "unload", "attach", "detach", "eval", "status", "metrics", "tail",
    "top",
]
DATA_VERBS = ["check", "compile", "status"]  # a config is all that they need
DEFAULT_CONF = pathlib.Path("/etc/p2e/p2e.conf")


def arguments(verb):
    """Enough to get as far as the config."""
    more = {"run": ["true"], "eval": ["-f", "note"], "explain": ["-f", "note"], "attach": ["--pid", "1"],
            "detach": ["--pid", "1"], "unload": ["--all"]}
    return [verb, *more.get(verb, [])]


# ---- Help ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_overview_names_every_verb(home, word):
    text = home.ok(word)
    assert text.startswith("usage: p2e COMMAND")
    for verb in [*VERBS, "agent"]:
        assert f"\n  {verb} " in text


def test_version(home):
    assert re.fullmatch(r"p2e \d+\.\d+\.\d+\n", home.ok("--version"))


def test_without_arguments_is_a_usage_error(home):
    done = home.p2e()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: p2e COMMAND")


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(home, verb, option):
    text = home.ok(verb, option)
    assert text.startswith(f"usage: p2e {verb} ")
    assert "--config FILE" in text and "--help" in text


@pytest.mark.parametrize("verb", VERBS)
def test_help_names_every_option_of_the_usage(home, verb):
    usage, _, rest = home.ok(verb, "--help").partition("\n")
    for word in usage.replace("[", " ").replace("]", " ").replace("(", " ").replace(")", " ").split():
        if word.startswith("-") and word != "--":
            assert f"  {word}" in rest, word


def test_help_after_other_options(home):
    assert home.ok("eval", "--json", "--help").startswith("usage: p2e eval ")


# ---- Command line --------------------------------------------------------------------------------
def test_unknown_command(home):
    error = home.fails("chekc", status=2)
    assert 'there is no command "chekc"' in error
    assert "usage: p2e COMMAND" in error


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    "given,said",
    [
        (["--frobnicate"], "unknown option --frobnicate"),
        (["-z"], "unknown option -z"),
        (["-zy"], "unknown option -z"),
        (["-c"], "-c needs a value"),
        (["--config"], "--config needs a value"),
    ],
)
def test_bad_option(home, verb, given, said):
    done = home.p2e(verb, *given)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"p2e {verb}: {said}\nusage: p2e {verb} ")


@pytest.mark.parametrize("verb", ["check", "compile", "eval", "status"])
def test_flag_with_a_value(home, verb):
    assert "--json=yes: this option has no value" in home.fails(verb, "--json=yes", status=2)


@pytest.mark.parametrize("verb", ["check", "compile", "eval", "status"])
def test_operand_that_nobody_asked_for(home, verb):
    assert "unexpected argument extra" in home.fails(verb, "extra", status=2)


@pytest.mark.parametrize("env", [{}, {"POSIXLY_CORRECT": "1"}])
@pytest.mark.parametrize("verb", ["load", "unload", "attach", "detach", "tail"])
def test_options_behind_operands(home, verb, env):
    before = ["--pid", os.getpid()] if verb in ("attach", "detach") else []
    error = home.fails(verb, *before, "note", "-c", home.folder / "none.conf", env=env)
    assert f"there is no config file {home.folder}/none.conf" in error


@pytest.mark.parametrize("env", [{}, {"POSIXLY_CORRECT": "1"}])
def test_options_between_operands(home, env):
    home.configure()
    error = home.fails("unload", "a", "-c", home.conf, "b", "--", "-c", "c", env={**env, "P2E_CONFIG": "/none"})
    assert re.findall('filter "(.*)" is not pinned', error) == ["a", "b", "-c", "c"]


def test_options_of_the_command_that_is_run(compiled):
    assert compiled.ok("run", "printf", "%s.", "-c", "--", "--help") == "-c.--.--help."
    assert compiled.ok("run", "--", "printf", "%s.", "-c") == "-c."


# ---- Filters -------------------------------------------------------------------------------------
@pytest.mark.parametrize("given", [
    ["load", "nota"], ["tail", "nota"], ["attach", "--pid", "1", "nota"], ["detach", "--pid", "1", "nota"],
    ["eval", "-f", "nota"], ["explain", "-f", "nota"]])
def test_filter_that_may_be_meant(home, given):
    assert home.fails(*given) == f'p2e {given[0]}: {home.conf} has no filter "nota"; did you mean "note"?\n'
    given[-1] = "elsewhere"
    assert home.fails(*given) == f'p2e {given[0]}: {home.conf} has no filter "elsewhere"\n'


# ---- Config --------------------------------------------------------------------------------------
@pytest.mark.parametrize("verb", VERBS)
def test_config_is_missing(home, verb):
    first, *rest = arguments(verb)
    error = home.fails(first, "-c", home.folder / "none.conf", *rest)
    assert error.startswith(f"p2e {verb}: ")
    assert f"there is no config file {home.folder}/none.conf" in error


@pytest.mark.parametrize("verb", [*VERBS, "explain", "agent"])
@pytest.mark.parametrize("given,said", [
    ("none.conf", "there is no config file none.conf\n"), ("", "-c needs the name of a file\n"),
    ("objects", "the config file objects is a directory; name the file, like objects/p2e.conf\n")])
def test_config_that_is_named_and_none(home, verb, given, said):
    """The environment has no part in it."""
    first, *rest = arguments(verb)
    assert home.fails(first, "-c", given, *rest, cwd=home.folder) == f"p2e {verb}: {said}"


@pytest.mark.parametrize("verb", VERBS)
def test_config_that_may_not_be_read(home, verb):
    home.conf.chmod(0o600)
    error = home.fails(*arguments(verb), prefix=UNPRIVILEGED)
    assert str(home.conf) in error and "Permission denied" in error


@pytest.mark.parametrize("verb", VERBS)
def test_config_is_wrong(home, verb):
    home.conf.write_text("filters = (\n  { nmae = 1; }\n);\n")
    done = home.p2e(*arguments(verb))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{home.conf}:2: unknown key" in done.stderr
    assert 'did you mean "name"?' in done.stderr


@pytest.mark.skipif(DEFAULT_CONF.exists(), reason="this machine has a config")
@pytest.mark.parametrize("verb", VERBS)
def test_config_is_looked_for_in_etc(home, verb):
    assert str(DEFAULT_CONF) in home.fails(*arguments(verb), env={"P2E_CONFIG": None})


@pytest.mark.parametrize("verb", DATA_VERBS)
def test_option_goes_before_environment(compiled, verb):
    env = {"P2E_CONFIG": "/nowhere/p2e.conf"}
    assert "note" in compiled.ok(verb, "-c", compiled.conf, env=env)
    assert "/nowhere/p2e.conf" in compiled.fails(verb, env=env)


@pytest.mark.parametrize("verb", DATA_VERBS)
def test_config_without_filters(home, verb):
    home.configure()
    assert home.ok(verb) == ""
    assert home.json(verb) == []


# ---- Output --------------------------------------------------------------------------------------
@pytest.mark.parametrize("given", [["--help"], ["check"], ["check", "--json"], ["status"], ["compile"]])
def test_output_that_cannot_be_written(compiled, given):
    into_full = ["sh", "-c", 'exec "$@" >/dev/full', "sh"]
    assert "No space left on device" in compiled.fails(*given, prefix=into_full)


NOT_UTF8 = [b"\xff", b"\xc3", b"\xe2\x82", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88"]


@pytest.mark.parametrize("wrong", NOT_UTF8)
def test_json_is_utf8_whatever_the_config_holds(home, wrong):
    path = '@ä€😀\\"\\x07'.encode() + wrong + b"!"
    home.conf.write_bytes(home.conf.read_bytes().replace(os.fsencode(home.socket), path))
    (entry,) = home.json("status")
    assert entry["socket"] == '@ä€😀"\x07' + "\ufffd" * len(wrong) + "!"


@pytest.mark.parametrize("verb", DATA_VERBS)
def test_help_names_the_keys_of_json(compiled, verb):
    compiled.configure(note={}, bad={"path": "@bad", "schema": "none.proto"})
    compiled.object("bad").write_bytes(b"")
    text = compiled.ok(verb, "--help")
    good, bad = compiled.json(verb)
    assert "error" in bad
    for key in {**good, **bad}:
        assert f'"{key}"' in text
