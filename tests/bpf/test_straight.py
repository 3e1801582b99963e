"""Fields in the order of their numbers are taken without the walker's loop: with the same verdicts.

A message is judged twice: as it is, and after a field that the schema does not know, which leaves all of it to
the loop.
"""

import random

import pytest
from judge import HERE, load_messages, verdicts, verdicts_of, wire
from varint import varint

P = load_messages("straight")
SCHEMA = HERE / "straight.proto"
UNKNOWN = bytes([0xA0, 0x06, 0x01])  # field 100
GLIMPSE = 256  # P2E_GLIMPSE: what is loaded first of a message of more than
CHUNK = 2048   # P2E_CHUNK
RULES = (
    "this.text.startsWith('text')", "this.i32 == 77", "this.u64 == 12345678901u", "this.s32 == -5", "this.flag",
    "this.f32 == 7u", "this.real == 1.5", "this.kept == b'kept'", "this.skipped.size() == 4", "has(this.part)",
    "this.part.number == 300", "this.part.text == 'inner'", "this.part.wide == 9u", "this.part.raw.size() == 2",
    "this.list.size() == 3", "this.other == 'chosen'", "!has(this.one)", "this.parts.size() == 2",
    "this.floats.size() == 2", "this.i64 == -1", "this.far == 'far away'", "this.sf32 == -9",
    "this.far_part.number == -1", "this.texts.size() == 2",
)
# The same and elements that are looked at one by one: parts then come with a begin and an end.
ELEMENT_RULES = RULES + ("this.parts.all(p, p.number >= 1)", "this.list.all(n, n < 1000u)",
                         "this.texts.all(t, t.size() == 2)")


def message(text="text"):
    return P.All(
        text=text, i32=77, u64=12345678901, s32=-5, flag=True, f32=7, real=1.5, kept=b"kept", skipped=b"skip",
        part=P.Part(number=300, text="inner", wide=9, raw=b"rr"), list=[1, 300, 70000 % 997], other="chosen",
        parts=[P.Part(number=1, text="é"), P.Part(number=2, wide=3)], floats=[0.5, 2.5], i64=-1, far="far away",
        sf32=-9, far_part=P.Part(number=-1, text="x" * 70, leaf=P.Leaf(a=1, b=2)), not_asked=200, texts=["aa", "bb"])


def options(rules):
    return [word for rule in rules for word in ("--rule", rule)]


def both(messages, rules):
    """The verdicts on both ways, which must not differ."""
    found = verdicts(SCHEMA, "straight.All", messages + [UNKNOWN + each for each in messages], *options(rules))
    straight, walked = found[: len(messages)], found[len(messages) :]
    wrong = [(s, w, m.hex()) for s, w, m in zip(straight, walked, messages) if s != w]
    assert not wrong, (len(wrong), wrong[:5])
    return straight


@pytest.mark.parametrize("rules", [RULES, ELEMENT_RULES], ids=["plain", "elements"])
def test_cut_and_changed_anywhere(rules):
    whole = wire(message())
    random.seed(1)
    messages = [whole] + [whole[:i] for i in range(len(whole))]
    for i in range(len(whole)):
        for byte in {0, 0x7F, 0x80, 0xFF, whole[i] ^ 1, whole[i] ^ 0x80, whole[i] ^ 1 << random.randrange(8)}:
            messages.append(whole[:i] + bytes([byte]) + whole[i + 1 :])
    found = both(messages, rules)
    assert found[0] == "pass"
    assert len(set(found)) > len(RULES) - 4, "nearly every rule is broken by some change"
    assert "drop malformed" in found


@pytest.mark.parametrize("rules", [RULES, ELEMENT_RULES], ids=["plain", "elements"])
def test_fields_in_other_orders_and_twice(rules):
    random.seed(2)
    fields = [wire(part) for part in split(message())]
    messages = []
    for _ in range(400):
        some = random.sample(fields, random.randint(1, len(fields)))
        if random.random() < 0.6:
            some.sort(key=fields.index)
        some += random.sample(fields, random.randint(0, 3))
        messages.append(b"".join(some))
    both(messages, rules)


def split(whole):
    """A message a field, which after one another are the whole."""
    for field, value in whole.ListFields():
        one = P.All()
        if field.label == field.LABEL_REPEATED:
            getattr(one, field.name).extend(value)
        elif field.message_type:
            getattr(one, field.name).CopyFrom(value)
        else:
            setattr(one, field.name, value)
        yield one


def test_a_member_that_no_rule_names_takes_the_place_of_another():
    found = both([wire(P.All(other="chosen")), wire(P.All(other="chosen"), P.All(third=True))],
                 ["this.other == 'chosen'", "this.flag == false"])
    assert found == ["pass", "drop rule rule1"]


def test_every_field_at_the_end_of_what_is_loaded():
    """The first text pushes the others, byte by byte, over the end of the first read. Behind it in the buffer is
    what another message left."""
    others = [wire(P.All(kept=byte * CHUNK)) for byte in (b"\x01", b"\xff")]
    messages = []
    for size in range(GLIMPSE - len(wire(message())) - 8, GLIMPSE + 8):
        long = message("text" + "t" * max(size, 0))
        long.end = bytes(CHUNK)
        for other in others:
            messages += [other, wire(long)]
    assert set(both(messages, RULES)[1::2]) == {"pass"}


def test_what_an_earlier_message_left_is_not_taken():
    """The buffer still has the longer message's fields behind the shorter one's end."""
    whole = wire(message())
    messages = [each for i in range(len(whole)) for each in (whole, whole[:i])]
    found = both(messages, RULES)
    assert set(found[0::2]) == {"pass"}
    assert "pass" not in found[1::2]


def test_lengths_that_are_too_large():
    messages = [tag + varint(size) + b"skip" for tag in (b"\x4a", b"\x0a", b"\x52", b"\x5a", b"\x8a\x01")
                for size in (5, 2**28 - 1, 2**28, 2**32 + 4, 2**35, 2**63 + 4)]
    assert set(both(messages, RULES[:1])) == {"drop malformed"}


@pytest.mark.parametrize("depth, verdict", [(1, "drop malformed"), (2, "pass")])
def test_a_submessage_that_is_entered_is_one_level(depth, verdict, tmp_path):
    conf = tmp_path / "p2e.conf"
    conf.write_text(f"""object_dir = "."; filters = ( {{ name = "deep"; transport = "udp"; port = 9;
        schema = "{SCHEMA}"; message = "straight.All"; max_depth = {depth}; rules = ( "true" ); }} );""")
    leaf = P.Part(leaf=P.Leaf(a=1, b=2))
    messages = [P.All(part=leaf), P.All(parts=[leaf]), P.All(parts=[P.Part(), leaf])]
    shallow = P.All(part=P.Part(number=1), parts=[P.Part(number=1)])
    assert verdicts_of(conf, "deep", [*messages, shallow]) == [verdict] * len(messages) + ["pass"]
