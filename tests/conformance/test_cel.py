"""cel-spec's simple tests: never wrong, and most of them judged."""

import cel_suite
import pytest
import tally
from cel_lift import Lifter
from cel_syntax import SyntaxTrouble, parse

LEAST = 0.75  # of the tests are judged


@pytest.fixture(scope="module")
def outcomes(data):
    return cel_suite.run()


def test_every_test_has_an_outcome(outcomes):
    assert len(outcomes) == len(cel_suite.tests()) == 1421


def test_no_verdict_is_wrong(outcomes):
    wrong = tally.wrong(outcomes)
    assert not wrong, f"{len(wrong)} are wrong:\n" + "\n".join(wrong[:20])


def test_most_is_judged(outcomes):
    assert tally.share(outcomes) >= LEAST, tally.summary(outcomes)


# ---- Lifting: what becomes a field, and what must not ------------------------------------------------
def lifted(text, mode="all", keep_dyn=True, **bindings):
    lifter = Lifter(text, {"container": "google.protobuf", "constants": bindings}, mode, keep_dyn)
    return lifter.lift(), [value for _, _, value in lifter.fields]


@pytest.mark.parametrize("text, expected, values", [
    ("1 + 2u == -3", "f_int_1 + f_uint_1 == f_int_2", [1, 2, -3]),
    ("-(3) - - 4", "-f_int_1 - f_int_2", [3, -4]),
    ("--4", "-f_int_1", [-4]),
    ("'a' == b\"\\xff\"", "f_string_1 == f_bytes_1", ["a", b"\xff"]),
    (r"r'\n' + '''it's'''", "f_string_1 + f_string_2", ["\\n", "it's"]),
    (".5e1 < 1e-3", "f_double_1 < f_double_2", [5.0, 0.001]),
    ("0x1F == 9223372036854775808", "f_int_1 == 9223372036854775808", [31]),
    ("true ? x : y", "f_bool_1 ? x : y", [True]),
    ("[1, 2][0]", "f_list_int_1[0]", [[1, 2]]),
    ("[1, 'a'][0]", "[f_int_1, f_string_1][0]", [1, "a"]),
    ("{'k': 1}['k']", "f_map_string_int_1['k']", [[("k", 1)]]),
    ("{'k': 1, 2: 3}.k", "{'k': f_int_1, 2: f_int_2}.k", [1, 3]),
    ("'abc'.matches('b')", "f_string_1.matches('b')", ["abc"]),
    ("[1].all(x, x > 0)", "f_list_int_1.all(x, x > f_int_1)", [[1], 0]),
    ("duration('2s')", "f_message_google_protobuf_duration_1", [b"\x08\x02"]),
    ("timestamp('9999-99-99T00:00:00Z')", "timestamp('9999-99-99T00:00:00Z')", []),
    ("has(Int32Value{value: 7}.value)", "has(f_message_google_protobuf_int32value_1.value)", [b"\x08\x07"]),
    ("Int32Value{value: 'x'}", "Int32Value{value: f_string_1}", ["x"]),
    ("null == x", "null == x", []),
])
def test_lifting(text, expected, values):
    assert lifted(text) == (expected, values)


@pytest.mark.parametrize("mode, expected", [
    ("all", "f_int_1 in f_list_int_1"), ("scalars", "f_int_1 in [f_int_2, f_int_3]"),
    ("structures", "1 in f_list_int_1"), ("first", "f_int_1 in [2, 3]"), ("none", "1 in [2, 3]"),
])
def test_forms(mode, expected):
    assert lifted("1 in [2, 3]", mode)[0] == expected


def test_bindings_become_fields():
    bound = {"a.b": (("string",), "s"), "x": (("int",), 4)}
    assert lifted("a.b.c == x && [x].all(x, x > 0)", "none", **bound)[0] == \
        "f_string_1.c == f_int_1 && [f_int_1].all(x, x > 0)"


def test_dyn_is_stripped():
    assert lifted("dyn(1) == dyn( x )", "none", keep_dyn=False)[0] == "(1) == (x)"


@pytest.mark.parametrize("text", ["", "1 +", "(1", "'a", "[1", "a b", "'\\q'", "#"])
def test_what_is_not_cel(text):
    with pytest.raises(SyntaxTrouble):
        parse(text)
