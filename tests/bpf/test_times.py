"""Times, durations and wrappers, judged in the kernel: each row is a rule, the verdicts, and the messages."""

import datetime
import time

import pytest
from google.protobuf import duration_pb2, timestamp_pb2, wrappers_pb2
from judge import HERE, judge, load_messages, wire

TIMES = load_messages("times")
M, E = TIMES.M, TIMES.Event
FIRST, LAST = -62135596800, 253402300799  # 0001-01-01T00:00:00Z, 9999-12-31T23:59:59Z
FIRST_DURATION, LAST_DURATION = (-9223372036, -854775808), (9223372036, 854775807)


def T(seconds=0, nanos=0):
    return timestamp_pb2.Timestamp(seconds=seconds, nanos=nanos)


def D(seconds=0, nanos=0):
    return duration_pb2.Duration(seconds=seconds, nanos=nanos)


def wrapped(kind, *value):
    return getattr(wrappers_pb2, kind + "Value")(**{"value": item for item in value})


def I(*value):
    return wrapped("Int64", *value)


# fmt: off
TIME_ROWS = [
    # order and equality; an unset field is the epoch, or no time at all
    ('t < timestamp("2024-02-29T00:00:00Z")', 'PPrrP', M(), M(t=T(1709164799, 999999999)), M(t=T(1709164800)), M(t=T(LAST)), M(t=T(FIRST))),
    ('t == timestamp("1970-01-01T00:00:00Z")', 'PPrr', M(), M(t=T()), M(t=T(0, 1)), M(t=T(-1))),
    ('t != timestamp("2024-02-29T23:59:59.5+01:00")', 'PrP', M(), M(t=T(1709247599, 500000000)), M(t=T(1709247599))),
    ('t <= u && !(t > u)', 'PPrPr', M(), M(t=T(5), u=T(5)), M(t=T(5, 1), u=T(5)), M(t=T(-1, 999999999), u=T()), M(t=T(1))),
    ('t >= timestamp("0001-01-01T00:00:00Z") && t <= timestamp("9999-12-31T23:59:59.999999999Z")', 'PPPrr', M(),
     M(t=T(FIRST)), M(t=T(LAST, 999999999)), M(t=T(FIRST - 1, 999999999)), M(t=T(LAST + 1))),
    ('d > duration("1h30m")', 'rrPr', M(), M(d=D(5400)), M(d=D(5400, 1)), M(d=D(-5401))),
    ('d == duration("-1.5s")', 'rPr', M(), M(d=D(-1, -500000000)), M(d=D(-1, 500000000))),
    ('d < duration("0")', 'rPPr', M(), M(d=D(0, -1)), M(d=D(-1)), M(d=D(1))),
    ('has(t)', 'rP', M(), M(t=T())),
    ('!has(t) || t > timestamp(0)', 'PrP', M(), M(t=T()), M(t=T(1))),
    ('t in [timestamp(5), timestamp(6)]', 'rPPr', M(), M(t=T(5)), M(t=T(6)), M(t=T(6, 1))),
    ('d in [duration("5s"), e]', 'PPPr', M(), M(d=D(5)), M(d=D(7), e=D(7)), M(d=D(7))),
    ('(b ? t : u) == timestamp(5)', 'PPr', M(b=True, t=T(5)), M(u=T(5)), M(t=T(5))),
    # what is sent is compared as it is, seconds first
    ('t < u', 'PrP', M(t=T(0, 2000000000), u=T(1)), M(t=T(1), u=T(0, 2000000000)), M(t=T(-2**63), u=T(2**63 - 1))),
    ('t == timestamp(1)', 'rr', M(t=T(0, 1000000000)), M(t=T(2, -1000000000))),
    # merged, and the last one wins
    ('t == timestamp("1970-01-01T00:00:05.000000007Z")', 'PP', wire(M(t=T(5)), M(t=T(0, 7))), wire(M(t=T(5, 1)), M(t=T(0, 7)))),
    ('ot == timestamp(5)', 'Prr', M(ot=T(5)), wire(M(ot=T(5)), M(oi=1)), M(oi=5)),
    ('ot == timestamp(0) && has(oi)', 'P', wire(M(ot=T(5)), M(oi=1))),
    ('event.at + event.lasts < timestamp(100)', 'PPr', M(), M(event=E(at=T(90), lasts=D(9))), M(event=E(at=T(90), lasts=D(10)))),
    # arithmetic
    ('t - u == d', 'PPPPr', M(), M(t=T(5), u=T(3), d=D(2)), M(t=T(5), u=T(6, 500000000), d=D(-1, -500000000)),
     M(t=T(5, 1), u=T(6), d=D(0, -999999999)), M(t=T(5), u=T(3), d=D(-2))),
    ('t - u < duration("876000h")', 'PrrP', M(), M(t=T(LAST), u=T(FIRST)), M(t=T(2**63 - 1), u=T(-1)), M(t=T(), u=T(2**33))),
    ('t - u <= duration("9223372036.854775807s")', 'PrPr', M(t=T(9223372036, 854775807)), M(t=T(9223372036, 854775808)),
     M(u=T(9223372036, 854775808)), M(u=T(9223372036, 854775809))),
    ('t + d == u', 'PPPP', M(), M(t=T(5), d=D(-1, -1), u=T(3, 999999999)), M(t=T(5, 999999999), d=D(0, 1), u=T(6)),
     M(t=T(FIRST), d=D(LAST - FIRST), u=T(LAST))),
    ('d + t == t + d', 'PPrPrr', M(), M(t=T(LAST), d=D(0, 999999999)), M(t=T(LAST), d=D(1)), M(t=T(FIRST, 1), d=D(0, -1)),
     M(t=T(FIRST), d=D(0, -1)), M(t=T(1), d=D(2**63 - 1))),
    ('t - d == t - d', 'PrPr', M(t=T(FIRST), d=D(0, -1)), M(t=T(FIRST), d=D(0, 1)), M(t=T(LAST), d=D(0, -1)), M(t=T(-2**63), d=D(2**63 - 1))),
    ('d + e == d + e', 'PPrPrr', M(), M(d=D(9223372036), e=D(0, 854775807)), M(d=D(9223372036), e=D(0, 854775808)),
     M(d=D(-9223372036), e=D(0, -854775808)), M(d=D(-9223372036), e=D(0, -854775809)), M(d=D(2**63 - 1), e=D(1))),
    ('d - e == duration("1.5s")', 'PPr', M(d=D(2), e=D(0, 500000000)), M(d=D(1), e=D(0, -500000000)), M(d=D(1))),
    ('d - e == d - e || b', 'rP', M(d=D(9223372036), e=D(-1)), M(d=D(9223372036), e=D(-1), b=True)),
    ('duration("0s") - d == e', 'PP', M(), M(d=D(1, 5), e=D(-1, -5))),
    # conversions
    ('timestamp(i) == t', 'PPPr', M(), M(i=FIRST, t=T(FIRST)), M(i=LAST, t=T(LAST)), M(i=1)),
    ('timestamp(i) == timestamp(i)', 'PrrP', M(i=FIRST), M(i=FIRST - 1), M(i=LAST + 1), M(i=LAST)),
    ('int(t) == i', 'PPr', M(), M(t=T(-1, 999999999), i=-1), M(t=T(1))),
    ('timestamp(253402300800) == t || b', 'rP', M(), M(b=True)),
    ('string(timestamp("2009-02-13T23:31:30.123Z")) == s', 'rP', M(), M(s='2009-02-13T23:31:30.123Z')),
    # parts of timestamps, all at once
    ('t.getFullYear() == 2024 && t.getMonth() == 1 && t.getDate() == 29 && t.getDayOfMonth() == 28 && t.getDayOfWeek() == 4 && '
     't.getDayOfYear("+01:00") == 60 && t.getHours("-02:00") == 21 && t.getMinutes() == 59 && t.getSeconds() == 58 && '
     't.getMilliseconds() == 7', 'Prr', M(t=T(1709251198, 7999999)), M(t=T(1709251198, 8000000)), M(t=T(1709251199, 7000000))),
    # parts of durations
    ('d.getHours() == i', 'PPPr', M(d=D(7199), i=1), M(d=D(-7199), i=-1), M(d=D(3599)), M(d=D(3600))),
    ('d.getMinutes() == i', 'PPr', M(d=D(3730), i=62), M(d=D(-119, -999999999), i=-1), M(d=D(60))),
    ('d.getSeconds() == i', 'PPr', M(d=D(3730, 9), i=3730), M(d=D(-119, -999999999), i=-119), M(d=D(60))),
    ('d.getMilliseconds() == i', 'PPr', M(d=D(123, 321456789), i=321), M(d=D(-1, -999999999), i=-999), M(d=D(0, 1000000))),
    # a time that is out of range has no parts
    ('t.getFullYear() != 0', 'PPPrrrr', M(), M(t=T(FIRST)), M(t=T(LAST, 999999999)), M(t=T(FIRST - 1)), M(t=T(LAST + 1)),
     M(t=T(0, -1)), M(t=T(0, 1000000000))),
    ('t.getHours() >= 0 || b', 'rP', M(t=T(LAST + 1)), M(t=T(LAST + 1), b=True)),
    # elements
    ('rt.all(x, x > timestamp(5))', 'PPrr', M(), M(rt=[T(6), T(LAST)]), M(rt=[T(6), T(5)]), M(rt=[T()])),
    ('rt.exists(x, x.getFullYear() == 2009)', 'rPr', M(), M(rt=[T(), T(1234567890)]), M(rt=[T()])),
    ('timestamp(5) in rt', 'rPrP', M(), M(rt=[T(5)]), M(rt=[T(5, 1), T()]), M(rt=[T(6), T(5), T(7)])),
    ('!(duration("5s") in rd)', 'PrP', M(), M(rd=[D(6), D(5)]), M(rd=[D(6)])),
    ('size(rt) == 2', 'rP', M(), M(rt=[T(), T()])),
    ('events.all(x, x.at + x.lasts <= timestamp(10) && has(x.at))', 'PPrr', M(), M(events=[E(at=T(5), lasts=D(5))] * 3),
     M(events=[E(at=T(5), lasts=D(5, 1))]), M(events=[E(lasts=D(5))])),
]

WRAPPER_ROWS = [
    ('wi == 5', 'rrPr', M(), M(wi=I()), M(wi=I(5)), M(wi=I(6))),
    ('wi != 5', 'PPrP', M(), M(wi=I()), M(wi=I(5)), M(wi=I(6))),
    ('wi == 0', 'rPr', M(), M(wi=I()), M(wi=I(1))),
    ('wi == null', 'Prr', M(), M(wi=I()), M(wi=I(5))),
    ('null != wi', 'rPP', M(), M(wi=I()), M(wi=I(5))),
    ('wi == wj', 'PrPrrP', M(), M(wi=I()), M(wi=I(), wj=I(0)), M(wj=I()), M(wi=I(5), wj=I(6)), M(wi=I(5), wj=I(5))),
    ('wi != wj', 'rPrPPr', M(), M(wi=I()), M(wi=I(), wj=I(0)), M(wj=I()), M(wi=I(5), wj=I(6)), M(wi=I(5), wj=I(5))),
    ('wi < wj', 'rrPr', M(), M(wi=I(1)), M(wi=I(1), wj=I(2)), M(wi=I(2), wj=I(2))),
    ('wi + wj == 3', 'rrP', M(), M(wi=I(3)), M(wi=I(1), wj=I(2))),
    ('-wi in [3, wj]', 'rPP', M(), M(wi=I(-3), wj=I(0)), M(wi=I(5), wj=I(-5))),
    ('has(wi) && wi > 4', 'rPr', M(), M(wi=I(5)), M(wi=I(4))),
    # anything but == and != of null is an error, and so is what is compared with it
    ('wi > 4 || wi <= 4', 'rP', M(), M(wi=I(5))),
    ('wi + 1 != 7', 'rPr', M(), M(wi=I(5)), M(wi=I(6))),
    ('wi == 1 / i', 'rrP', M(), M(wi=I(1)), M(wi=I(1), i=1)),
    ('wi != 1 / i', 'rPPr', M(), M(i=1), M(wi=I(2), i=1), M(wi=I(1), i=1)),
    ('int(wi) != 5', 'rPr', M(), M(wi=I()), M(wi=I(5))),
    ('!(int(wi) == 5) || b', 'rPP', M(), M(b=True), M(wi=I(6))),
    ('wi in [5, 6]', 'rPrP', M(), M(wi=I(5)), M(wi=I()), M(wi=I(6))),
    ('!(wi in [5, 6])', 'PrP', M(), M(wi=I(5)), M(wi=I())),
    ('i in [wi, wj]', 'rPPr', M(), M(wi=I()), M(i=5, wj=I(5)), M(i=5, wj=I())),
    ('dyn(wi) == 5.0', 'rPr', M(), M(wi=I(5)), M(wi=I())),
    ('wb', 'rrP', M(), M(wb=wrapped('Bool')), M(wb=wrapped('Bool', True))),
    ('!wb', 'rPr', M(), M(wb=wrapped('Bool')), M(wb=wrapped('Bool', True))),
    ('true && wb', 'rrP', M(), M(wb=wrapped('Bool')), M(wb=wrapped('Bool', True))),
    ('(true && wb) != true', 'rPr', M(), M(wb=wrapped('Bool')), M(wb=wrapped('Bool', True))),
    ('wb == false', 'rPr', M(), M(wb=wrapped('Bool')), M(wb=wrapped('Bool', True))),
    ('wb == null || wb', 'PrP', M(), M(wb=wrapped('Bool')), M(wb=wrapped('Bool', True))),
    ('wb ? true : true', 'rPP', M(), M(wb=wrapped('Bool')), M(wb=wrapped('Bool', True))),
    ('wi32 == -5', 'rPr', M(), M(wi32=wrapped('Int32', -5)), M(wi32=wrapped('Int32', 5))),
    ('wu32 == 4294967295u && wu >= 1u', 'rPr', M(), M(wu32=wrapped('UInt32', 2**32 - 1), wu=wrapped('UInt64', 2**64 - 1)), M(wu32=wrapped('UInt32', 2**32 - 1))),
    ('wf == 1.5 && wd.isNan()', 'rPr', M(), M(wf=wrapped('Float', 1.5), wd=wrapped('Double', float('nan'))), M(wf=wrapped('Float', 1.5))),
    ('wd == wd', 'PPr', M(), M(wd=wrapped('Double')), M(wd=wrapped('Double', float('nan')))),
    ('ws == "a longer text than one word"', 'rPr', M(), M(ws=wrapped('String', 'a longer text than one word')), M(ws=wrapped('String'))),
    ('ws != ""', 'PrP', M(), M(ws=wrapped('String')), M(ws=wrapped('String', 'x'))),
    ('ws.startsWith("x") || ws.size() == 2', 'rPPr', M(), M(ws=wrapped('String', 'x')), M(ws=wrapped('String', '\u00e4\u00e4')), M(ws=wrapped('String'))),
    ('!ws.matches("^x") && !ws.contains("y")', 'rPrr', M(), M(ws=wrapped('String')), M(ws=wrapped('String', 'x')), M(ws=wrapped('String', 'y'))),
    ('wy == b"\\xff" && ws == s', 'rPr', M(), M(wy=wrapped('Bytes', b'\xff'), ws=wrapped('String', 'q'), s='q'), M(wy=wrapped('Bytes', b'\xff'))),
    ('wi == null ? "" : "%d".format([wi])', 'Pr', M(), M(wi=I())),
    # the parts of a wrapper are merged
    ('wi == 5', 'PP', wire(M(wi=I(5)), M(wi=I())), wire(M(wi=I(6)), M(wi=I(5)))),
    # an element is there, and so is what it wraps
    ('rwi.all(x, x > 4)', 'PPrr', M(), M(rwi=[I(5), I(6)]), M(rwi=[I(5), I()]), M(rwi=[I(4)])),
    ('rwi.exists(x, x == 0)', 'rrP', M(), M(rwi=[I(5)]), M(rwi=[I(5), I()])),
    ('rwi.exists(x, x == null)', 'rr', M(), M(rwi=[I()])),
    ('0 in rwi', 'rrP', M(), M(rwi=[I(5)]), M(rwi=[I(5), I()])),
    ('rws.all(x, x.size() < 3 && x != "no") && !("y" in rws)', 'PPrrr', M(), M(rws=[wrapped('String', 'a'), wrapped('String')]),
     M(rws=[wrapped('String', 'abc')]), M(rws=[wrapped('String', 'no')]), M(rws=[wrapped('String', 'y')])),
    # nothing else is null
    ('i == null', 'rr', M(), M(i=1)),
    ('dyn(s) != null && t != null && event != null && rt != null', 'PP', M(), M(s='x', t=T(1))),
    ('null == null', 'P', M()),
]
# fmt: on

MOMENTS = sorted({
    datetime.datetime(year, month, day, *clock)
    for year in (1, 4, 99, 100, 400, 1582, 1600, 1899, 1900, 1969, 1970, 2000, 2023, 2024, 2038, 9999)
    for month, day in ((1, 1), (2, 28), (3, 1), (12, 31)) for clock in ((0, 0, 0), (23, 59, 59, 999999))
} | {datetime.datetime(year, 2, 29, 12, 34, 56, 789000) for year in (4, 400, 1600, 2000, 2024, 9996)})

PARTS = {
    "getFullYear": lambda at: at.year,
    "getMonth": lambda at: at.month - 1,
    "getDate": lambda at: at.day,
    "getDayOfMonth": lambda at: at.day - 1,
    "getDayOfWeek": lambda at: at.isoweekday() % 7,
    "getDayOfYear": lambda at: at.timetuple().tm_yday - 1,
    "getHours": lambda at: at.hour,
    "getMinutes": lambda at: at.minute,
    "getSeconds": lambda at: at.second,
    "getMilliseconds": lambda at: at.microsecond // 1000,
}


def judge_times(messages, *rules):
    return judge(HERE / "times.proto", "times.M", messages, *(part for rule in rules for part in ("--rule", rule)))


@pytest.mark.parametrize("row", TIME_ROWS + WRAPPER_ROWS, ids=lambda row: row[0][:60])
def test_rule(row):
    rule, expected, *messages = row
    assert judge_times(messages, rule) == expected


def timestamp_of(moment):
    since = moment - datetime.datetime(1970, 1, 1)
    return T(since.days * 86400 + since.seconds, since.microseconds * 1000 + 999)


@pytest.mark.parametrize("zone, ahead", [("", 0), ('"UTC"', 0), ('"+05:30"', 330), ('"-02:30"', -150)])
@pytest.mark.parametrize("part", PARTS)
def test_part_of_timestamp(part, zone, ahead):
    """As Python counts them, in the kernel and of constants."""
    messages = []
    for moment in MOMENTS:
        local = moment + datetime.timedelta(minutes=ahead) if 1 < moment.year < 9999 else moment
        if local is moment and ahead:
            continue
        messages += [M(t=timestamp_of(moment), i=PARTS[part](local)), M(t=timestamp_of(moment), i=PARTS[part](local) + 1)]
    assert judge_times(messages, f"t.{part}({zone}) == i") == "Pr" * (len(messages) // 2)


def test_parts_of_constants():
    """Folded by the compiler: all in one rule."""
    conditions = [f'timestamp("{moment.isoformat(timespec="microseconds")}Z").{part}() == {count(moment)}'
                  for moment in MOMENTS for part, count in PARTS.items()]
    assert judge_times([M()], " && ".join(conditions)) == "P"


def test_year_of_a_zone():
    """At the ends of the range, local time is in the year 0 or 10000."""
    messages = [M(t=T(FIRST)), M(t=T(LAST))]
    assert judge_times(messages, 't.getFullYear("-00:01") == 0') == "Pr"
    assert judge_times(messages, 't.getFullYear("+00:01") == 10000 && t.getMonth("+00:01") == 0') == "rP"
    assert judge_times(messages, 't.getDayOfYear("-00:01") == 365 && t.getDate("-00:01") == 31') == "Pr"


def test_now():
    """The clock's time: of moments half a second apart, those around it are near."""
    started = time.time()
    moments = [started + place / 2 for place in range(240)]
    messages = [M(t=T(int(at), int(at % 1 * 10**9))) for at in moments]
    near = 'now - t < duration("1s") && t - now < duration("1s") && now == now'
    verdicts = judge_times(messages, near)
    ended = time.time()
    found = [at for at, verdict in zip(moments, verdicts) if verdict == "P"]
    assert 3 <= len(found) <= 5, verdicts
    assert started - 1 <= found[0] and found[-1] <= ended + 1


def test_names_before_now():
    """A field or a variable of this name is what the name means."""
    event = HERE / "times.proto", "times.Event"
    assert judge(*event, [E(now=5), E()], "--rule", "now == 5 && this.now == 5") == "Pr"
    assert judge(*event, [E(at=T(2**33)), E()], "--rule", "at > .now") == "Pr"
    messages = [M(events=[E(now=5)]), M(events=[E(now=6)])]
    assert judge_times(messages, "events.all(now, now.now == 5)") == "Pr"


def test_root():
    """A rule may be about a time or a wrapper itself."""
    for message, rule, *values in (("Timestamp", "this > timestamp(5)", T(6), T()),
                                   ("Duration", 'this > duration("5s")', D(6), D()),
                                   ("Int64Value", "this > 5 && this != null", I(6), I())):
        assert judge(HERE / "times.proto", f"google.protobuf.{message}", values, "--rule", rule) == "Pr"


def test_now_of_elements():
    """The elements of a list are judged as they pass, at the same moment."""
    seconds = int(time.time())
    messages = [M(), M(rt=[T(seconds - 30)]), M(rt=[T(seconds - 30), T(seconds + 30)])]
    assert judge_times(messages, "rt.all(x, x < now)") == "PPr"
