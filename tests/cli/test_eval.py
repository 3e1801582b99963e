"""p2e eval: messages in, verdicts of the program in the kernel out."""

import json
import os
import shutil
import subprocess

import pytest
from first_byte import ROOT_WITHOUT_BPF, UNPRIVILEGED
from p2e import PROTO, Home, note, sized_note
from varint import varint

GIVEN = ["--schema", "note.proto", "--message", "test.Note"]
SIZES = [5, 2999, 3000, 3001, 4095, 4096, 4097, 65507, 65535]

PASS, TOO_LONG, TOO_LARGE = note("brief", 4), note("0123456789", 4), note("brief", 5)
MALFORMED = b"\x0a\x05ab"


@pytest.fixture(scope="module")
def site():
    """Two filters, compiled: rules with ids, and one that looks at the end of a message of any size."""
    home = Home(note={}, size={"path": "@size", "rules": ["number == 7"]})
    home.compile_all()
    yield home
    home.close()


def hex_lines(*messages):
    return "".join(message.hex() + "\n" for message in messages)


def delimited(*messages):
    return b"".join(varint(len(message)) + message for message in messages)


def verdicts(home, text, *options, name="note"):
    return home.ok("eval", "-f", name, *options, input=text).splitlines()


def raw_verdicts(home, data, name="note"):
    done = home.p2e("eval", "-f", name, "--format", "raw", input=data, text=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode().splitlines()


# ---- Verdicts ------------------------------------------------------------------------------------
def test_a_line_for_each_message(site):
    text = hex_lines(PASS, TOO_LONG, MALFORMED, TOO_LARGE, b"")
    expected = ["pass", "drop rule short", "drop malformed", "drop rule small", "pass"]
    assert verdicts(site, text) == expected


def test_first_rule_in_order_counts(site):
    assert verdicts(site, hex_lines(note("0123456789", 5))) == ["drop rule short"]


def test_json_lines(site):
    output = site.ok("eval", "-f", "note", "--json", input=hex_lines(PASS, TOO_LONG, MALFORMED))
    assert [json.loads(line) for line in output.splitlines()] == [
        {"verdict": "pass"},
        {"verdict": "drop", "reason": "rule", "rule": "short"},
        {"verdict": "drop", "reason": "malformed"},
    ]


def test_messages_of_any_size(site):
    messages = [sized_note(size, number) for size in SIZES for number in (7, 8)]
    expected = ["pass", "drop rule rule1"] * len(SIZES)
    assert verdicts(site, hex_lines(*messages), name="size") == expected
    assert raw_verdicts(site, delimited(*messages), name="size") == expected


def test_messages_of_any_size_that_are_cut_short(site):
    messages = [sized_note(size + 1, 7)[:-1] for size in SIZES]
    expected = ["drop malformed"] * len(SIZES)
    assert verdicts(site, hex_lines(*messages), name="size") == expected
    assert raw_verdicts(site, delimited(*messages), name="size") == expected


def test_smallest_and_largest(site):
    messages = [b"", b"\x10", b"\x0a\x00", sized_note(65536, 7), sized_note(70000, 7), note("", 7)]
    expected = ["drop rule rule1", "drop malformed", "drop rule rule1"]
    expected += ["drop oversized", "drop oversized", "pass"]
    assert verdicts(site, hex_lines(*messages), name="size") == expected
    assert raw_verdicts(site, delimited(*messages), name="size") == expected


def test_mode_and_transport_of_the_filter_do_not_matter(site):
    """What a monitor would drop is a drop here."""
    home = Home(note={"mode": "monitor", "port": 17000})
    shutil.copytree(site.objects, home.objects, dirs_exist_ok=True)
    assert verdicts(home, hex_lines(PASS, TOO_LONG)) == ["pass", "drop rule short"]
    home.close()


# ---- Hex -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", [str.upper, str.lower, str.title], ids=["upper", "lower", "mixed"])
def test_case_of_hex(site, form):
    """Each letter counts: the text is of bytes with all letters in hex."""
    text = note("\u00ea\u00fc\u00ff\u00cd", 4).hex()
    assert verdicts(site, form(text) + "\n") == ["pass"]


def test_ends_of_lines(site):
    lines = [PASS.hex(), "", TOO_LARGE.hex(), ""]
    expected = ["pass", "pass", "drop rule small", "pass"]
    assert verdicts(site, "\r\n".join(lines) + "\r\n") == expected
    assert verdicts(site, "\n".join(lines[:3])) == expected[:3]


def test_no_input_no_output(site):
    assert verdicts(site, "") == []


@pytest.mark.parametrize("bad", ["1", "0g", "0x10", "10 04", " 1004", "1004;", "é", "10\0 04", "-1"])
def test_what_is_not_hex(site, bad):
    done = site.p2e("eval", "-f", "note", input=f"{hex_lines(PASS, TOO_LARGE)}{bad}\n{PASS.hex()}\n")
    assert done.returncode == 1
    assert done.stdout == "pass\ndrop rule small\n"
    assert done.stderr == "p2e eval: line 3 of the input is not hex\n"


def test_input_that_cannot_be_read(site):
    from_folder = ["sh", "-c", 'exec "$@" </', "sh"]
    error = site.fails("eval", "-f", "note", prefix=from_folder)
    assert "cannot read the input: Is a directory" in error


# ---- Raw -----------------------------------------------------------------------------------------
def test_raw_stream(site):
    messages = [PASS, b"", TOO_LONG, MALFORMED, TOO_LARGE]
    expected = ["pass", "pass", "drop rule short", "drop malformed", "drop rule small"]
    assert raw_verdicts(site, delimited(*messages)) == expected
    assert raw_verdicts(site, b"") == []


@pytest.mark.parametrize(
    "broken,said",
    [
        (b"\x05abcd", "the input ends inside of message 3"),
        (b"\x80", "the size of message 3 is broken"),
        (b"\xff\xff\xff\xff\xff\x01a", "the size of message 3 is broken"),
        (b"\xff\xff\xff\xff\x7fa", "message 3 claims 34359738367 bytes"),
        (b"\x81\x80\x80\x20a", "message 3 claims 67108865 bytes"),
        (b"\x80\x80\x80\x20a", "the input ends inside of message 3"),
    ],
)
def test_raw_stream_that_is_broken(site, broken, said):
    data = delimited(PASS, TOO_LARGE) + broken
    done = site.p2e("eval", "-f", "note", "--format", "raw", input=data, text=False)
    assert done.returncode == 1
    assert done.stdout == b"pass\ndrop rule small\n"
    assert done.stderr.decode() == f"p2e eval: {said}\n"


# ---- A filter given on the command line ----------------------------------------------------------
def given_verdicts(home, text, *options):
    return home.ok("eval", *GIVEN, *options, input=text, cwd=home.folder).splitlines()


def test_rules_are_numbered(home):
    rules = ["--rule", "number < 9", "--rule", "number < 5"]
    text = hex_lines(note("", 4), note("", 5), note("", 9))
    assert given_verdicts(home, text, *rules) == ["pass", "drop rule rule2", "drop rule rule1"]
    assert os.listdir(home.scratch) == []
    assert not home.pin_dir.exists()


def test_without_rules_only_the_form_counts(home):
    assert given_verdicts(home, hex_lines(TOO_LONG, MALFORMED)) == ["pass", "drop malformed"]


def nested(depth):
    message = b""
    for _ in range(depth):
        message = note(inner=message)
    return message


@pytest.mark.parametrize("options,depth", [([], 32), (["--max-depth", "1"], 1), (["--max-depth=100"], 100)])
def test_depth(home, options, depth):
    text = hex_lines(nested(depth), nested(depth + 1))
    assert given_verdicts(home, text, *options) == ["pass", "drop malformed"]


def test_depth_of_the_config(home):
    home.configure(note={"max_depth": 2})
    assert verdicts(home, hex_lines(nested(2), nested(3))) == ["pass", "drop malformed"]


def test_imports_are_found(home):
    (home.folder / "parts").mkdir()
    home.write("parts/part.proto", 'syntax = "proto3"; package test; message Part { int32 size = 1; }')
    uses = 'syntax = "proto3"; package test; import "part.proto"; message Uses { Part part = 1; }'
    schema = ["--schema", home.write("uses.proto", uses), "--message", "test.Uses"]
    rule = ["--rule", "part.size == 3"]
    folder = home.folder / "parts"
    for options in (["-I", folder], ["--include", folder], ["-I", "/usr", "-I", folder]):
        assert home.ok("eval", *schema, *options, *rule, input="0a020803\n") == "pass\n"
    assert "part.proto" in home.fails("eval", *schema, *rule, input="")


def test_descriptor_set(home):
    descriptors = home.folder / "note.bin"
    command = ["protoc", f"-I{home.folder}", "-o", descriptors, home.folder / "note.proto"]
    subprocess.run(command, check=True)
    options = ["--schema", descriptors, "--message", ".test.Note", "--rule", "number == 4"]
    assert home.ok("eval", *options, input=hex_lines(PASS)) == "pass\n"


# ---- Failures ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "arguments,said",
    [
        ([], "name a filter"),
        (["--schema", "note.proto"], "name a filter"),
        (["--message", "test.Note"], "name a filter"),
        (["-c", "p2e.conf"], "name a filter"),
        (["-c", "p2e.conf", *GIVEN], "-c FILE goes with -f NAME"),
        (["-f", "note", *GIVEN], "not by both"),
        (["-f", "note", "--rule", "true"], "not by both"),
        (["-f", "note", "--max-depth", "3"], "not by both"),
        (["-f", "note", "-I", "."], "not by both"),
        (["-f", "note", "--format", "base64"], "--format is hex or raw, not base64"),
        ([*GIVEN, "--format", ""], "--format is hex or raw"),
        *(
            ([*GIVEN, "--max-depth", depth], f"--max-depth is a number from 1 to 100, not {depth}")
            for depth in ["0", "101", "-1", "", "5x", "0x5", "18446744073709551617"]
        ),
        ([*GIVEN, *["--rule=true"] * 1025], "a filter can have 1024 rules"),
    ],
)
def test_usage(home, arguments, said):
    error = home.fails("eval", *arguments, status=2, cwd=home.folder)
    assert error.startswith("p2e eval: ") and "\nusage: p2e eval " in error
    assert said in error


def test_filter_that_the_config_has_not(site):
    assert f'{site.conf} has no filter "nota"' in site.fails("eval", "-f", "nota")


def test_message_that_the_schema_has_not(home):
    arguments = ["--schema", "note.proto", "--message", "test.Nota"]
    error = home.fails("eval", *arguments, cwd=home.folder)
    assert 'did you mean "test.Note"?' in error


def test_rule_that_is_wrong(home):
    error = home.fails("eval", *GIVEN, "--rule", "true", "--rule", "number < 'a'", cwd=home.folder)
    assert 'rule "rule2": ' in error
    assert "\n    number < 'a'\n" in error and "^" in error


def test_schema_that_is_not_there(home):
    assert "none.proto" in home.fails("eval", "--schema", "none.proto", "--message", "test.Note")


@pytest.mark.parametrize("prefix", [UNPRIVILEGED, ROOT_WITHOUT_BPF], ids=["nobody", "root"])
def test_without_privilege(site, prefix):
    done = site.p2e("eval", "-f", "note", prefix=prefix, input=hex_lines(PASS))
    assert (done.returncode, done.stdout) == (1, "")
    assert "needs CAP_BPF and CAP_PERFMON, which this process has not got" in done.stderr


def test_privilege_that_suffices(site):
    """No more than what the help says."""
    prefix = ["setpriv", "--bounding-set=-all,+bpf,+perfmon", "--inh-caps=-all"]
    assert verdicts_with(site, prefix) == ["pass"]


def verdicts_with(home, prefix):
    return home.ok("eval", "-f", "note", prefix=prefix, input=hex_lines(PASS)).splitlines()


def test_stale_object_is_not_asked(site):
    home = Home(note={})
    shutil.copytree(site.objects, home.objects, dirs_exist_ok=True)
    before = home.object("note").read_bytes()
    home.write("note.proto", PROTO.replace("number = 2", "number = 5").replace("Note inner", "Note in"))
    assert verdicts(home, hex_lines(b"\x28\x05", TOO_LARGE)) == ["drop rule small", "pass"]
    assert home.object("note").read_bytes() == before
    home.close()
