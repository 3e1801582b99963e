"""What rules mean, judged in the kernel: each row is a rule, the verdicts, and the messages.

P passes, r breaks the rule, M is malformed. Messages are made by protobuf's own Python library.
"""

import pytest
from judge import HERE, judge, load_messages, verdicts, wire

RULES = load_messages("rules")
LEGACY = load_messages("legacy")
M, I = RULES.M, RULES.Inner
L, P = LEGACY.M, LEGACY.Part


def field(number, payload):
    """A length-delimited field of a number above 15 and a payload below 128 bytes."""
    tag = number << 3 | 2
    return bytes([tag & 127 | 128, tag >> 7, len(payload)]) + payload


# fmt: off
ROWS = [
    ('i32 > 5', 'rPrr', M(i32=5), M(i32=6), M(i32=-7), M()),
    ('this.i32 + this.i64 > 5', 'rPrr', M(i32=5), M(i32=5,i64=1), M(i64=2**63-1,i32=1), M()),
    ('i64 / i32 == 2 || true', 'PP', M(i64=4,i32=2), M(i64=4)),
    ('i64 / i32 == 2', 'PrrrP', M(i64=4,i32=2), M(i64=4), M(i64=-2**63,i32=-1), M(i64=-7,i32=3), M(i64=-7,i32=-3)),
    ('i64 % i32 == -1', 'PrP', M(i64=-7,i32=3), M(i64=7,i32=3), M(i64=-7,i32=-3)),
    ('i64 * 2 < 0', 'rP', M(i64=2**62), M(i64=-1)),
    ('i64 / i32 == i64', 'rP', M(i64=-2**63, i32=-1), M(i64=5, i32=1)),
    ('u32 - 1u < 10u', 'rPr', M(), M(u32=3), M(u32=300)),
    ('u64 * 2u > 0u', 'rPr', M(), M(u64=3), M(u64=2**63)),
    ('u64 * u64 > 6u', 'rPrr', M(), M(u64=3), M(u64=2**32), M(u64=2)),
    ('u64 * u32 == 6u', 'rPr', M(), M(u64=3, u32=2), M(u64=2**63 + 3, u32=2)),
    ('i64 * -3 < 0', 'rPrr', M(), M(i64=3), M(i64=2**62), M(i64=-2**62)),
    ('s32 == -5', 'Pr', M(s32=-5), M(s32=5)),
    ('s64 == -5000000000', 'Pr', M(s64=-5000000000), M(s64=5)),
    ('b', 'Pr', M(b=True), M()),
    ('!b', 'rP', M(b=True), M()),
    ('f > 1.5', 'Prrr', M(f=2), M(f=1.5), M(f=float('nan')), M(f=-1)),
    ('f == f', 'Pr', M(f=2), M(f=float('nan'))),
    ('f != f', 'rP', M(f=2), M(f=float('nan'))),
    ('d >= -0.0 && d <= 0.0', 'PrPP', M(d=0), M(d=1e-300), M(d=-0.0), M()),
    ('f < 1.0e-40 && f > 0.0', 'Pr', M(f=1e-41), M(f=1e-39)),
    ('d > i64', 'Prrr', M(d=2.5,i64=2), M(d=2.5,i64=3), M(d=-2.5,i64=-2), M()),
    ('d < u64', 'PrP', M(d=-1), M(d=1.8e19,u64=2**64-1-2**63), M(d=1.8e19,u64=2**64-1)),
    # an integer counts as the double nearest to it, to even where two are as near
    ('i64 < 9223372036854775807.0', 'rrP', M(i64=2**63-1), M(i64=2**63-512), M(i64=2**63-513)),
    ('i64 >= -9007199254740992.0', 'PPr', M(i64=-2**53), M(i64=-2**53-1), M(i64=-2**53-2)),
    ('d > u64', 'PPrrP', M(d=2.0**53+2, u64=2**53), M(d=2.0**53+2, u64=2**53+1), M(d=2.0**53+4, u64=2**53+3),
     M(d=2.0**53, u64=2**53+1), M(d=2.0**53+4, u64=2**53+2)),
    ('d <= i64', 'PPPrPr', M(d=1, i64=1), M(d=-1, i64=-1), M(d=-0.0, i64=0), M(d=0.5, i64=0), M(d=-0.5, i64=0),
     M(d=float('nan'), i64=0)),
    ('f < u32', 'PrP', M(f=1.5, u32=2), M(f=2.5, u32=2), M(f=float('-inf'))),
    ('s == "hello"', 'Prr', M(s='hello'), M(s='hellp'), M()),
    ('s != "hello"', 'rPP', M(s='hello'), M(s='hellp'), M()),
    ('s == "hello world, longer than a word"', 'Pr', M(s='hello world, longer than a word'), M(s='hello world, longer than a wore')),
    ('s.startsWith("he")', 'PrP', M(s='hello'), M(s='h'), M(s='he')),
    ('s.endsWith("lo")', 'PrP', M(s='hello'), M(s='o'), M(s='lo')),
    ('s.endsWith("a very long suffix")', 'Pr', M(s='xa very long suffix'), M(s='o')),
    ('s.contains("ell")', 'PrPr', M(s='hello'), M(s='elk'), M(s='x'*5000+'ell'), M(s='x'*5000+'el')),
    ('s.contains("abcabcabd")', 'PrrP', M(s='abcabcabcabd'), M(s='abcabcabcabc'), M(), M(s='abcabcab'*4000+'abcabcabd')),
    ('s.contains("")', 'PP', M(s='abcabcabcabd'), M()),
    ('s < "m"', 'PrP', M(s='a'), M(s='z'), M()),
    ('s < os', 'Pr', M(s='abcdefghij',os='abcdefghik'), M(s='abcdefghij',os='abcdefghij')),
    ('s == os', 'PrP', M(s='abcdefghij'*500,os='abcdefghij'*500), M(s='abcdefghij'*500,os='abcdefghij'*499+'abcdefghik'), M()),
    ('os.startsWith(s)', 'PrP', M(s='abc',os='abcd'), M(s='abd',os='abcd'), M()),
    ('size(s) == 3', 'PrPr', M(s='abc'), M(s='ab'), M(s='äöü'), M(s='\U0001f600')),
    ('s.size() <= 2000', 'Pr', M(s='ä'*2000), M(s='ä'*2001)),
    ('size(y) == 3', 'PrP', M(y=b'abc'), M(y=b'ab'), M(y=b'\xff\xff\xff')),
    ('y == b"\\xff\\x00"', 'Pr', M(y=b'\xff\x00'), M(y=b'\xff')),
    ('y.contains(b"\\x00")', 'Pr', M(y=b'\xff\x00'), M(y=b'\xff')),
    # a comparison of comparisons, and a search for nothing in what is an error
    ('!b == (i32 == 1)', 'rPPr', M(), M(b=True), M(i32=1), M(b=True, i32=1)),
    ('(s != "x") == b', 'rPPr', M(), M(b=True), M(s='x'), M(s='x', b=True)),
    ('!b in [i32 == 1, i32 == 2]', 'rP', M(), M(i32=2)),
    ('!b < (i32 == 1)', 'rrP', M(), M(b=True), M(b=True, i32=1)),
    ('(1 / i32 == 1 ? s : os).contains("")', 'rP', M(), M(i32=1)),
    ('c == Color.BLUE', 'Prr', M(c=5), M(c=1), M(c=77)),
    ('c == rules.Color.BLUE', 'Pr', M(c=5), M(c=1)),
    ('c in [1, 5]', 'PrP', M(c=5), M(c=0), M(c=1)),
    ('i32 in [1,2,3,100,-5]', 'PrPP', M(i32=1), M(), M(i32=100), M(i32=-5)),
    ('s in ["a","bb","a very long string here"]', 'PrPP', M(s='a'), M(), M(s='bb'), M(s='a very long string here')),
    ('size(ri) == 3', 'PrrP', M(ri=[1,2,3]), M(ri=[1]), M(), bytes.fromhex('8a01020102880107')),
    ('2 in ri', 'PrrP', M(ri=[1,2,3]), M(ri=[1]), M(), bytes.fromhex('880102')),
    ('"x" in rs', 'PrrP', M(rs=['a', 'x']), M(rs=['xx']), M(), M(rs=['x', 'b'])),
    ('"a long string, this" in rs', 'PrrP', M(rs=['a', 'a long string, this']), M(rs=['xx']), M(), M(rs=['a long string, this', 'b'])),
    ('1.5 in rd', 'PrP', M(rd=[1,1.5]), M(rd=[2]), M(rd=[1.5]*300)),
    ('-1 in ri', 'PrP', M(ri=[5,-1]), M(ri=[1]), M(ri=list(range(3000))+[-1])),
    ('Color.BLUE in rc', 'Pr', M(rc=[0,5]), M(rc=[1])),
    ('size(rm) < 3', 'PPr', M(), M(rm=[I(),I()]), M(rm=[I()]*3)),
    ('has(m)', 'rP', M(), M(m={'a':1})),
    ('has(rs)', 'rP', M(), M(rs=[''])),
    ('has(i32)', 'rPr', M(), M(i32=4), bytes.fromhex('0800')),
    ('has(opt)', 'rPP', M(), M(opt=4), M(opt=0)),
    ('has(inner) && inner.x == 3', 'rPr', M(), M(inner=I(x=3)), M(inner=I())),
    ('has(inner.inner) && inner.inner.x == 3', 'rPr', M(), M(inner=I(inner=I(x=3))), M(inner=I(x=3))),
    ('inner.x == 0', 'PrP', M(), M(inner=I(x=3)), M(inner=I())),
    ('inner.x == 3 && inner.s == "q"', 'P', wire(M(inner=I(x=3)), M(inner=I(s='q')))),
    ('size(inner.xs) == 3', 'P', wire(M(inner=I(xs=[3])), M(inner=I(xs=[1,2])))),
    ('i32 == 4', 'Pr', wire(M(i32=3), M(i32=4)), wire(M(i32=4), M(i32=3))),
    ('has(oi)', 'rPPrr', M(), M(oi=1), M(oi=0), M(os='x'), wire(M(oi=1), M(os='x'))),
    ('oi == 1', 'Prr', M(oi=1), M(os='x'), wire(M(oi=1), M(os='x'))),
    ('om.x == 5', 'PrrP', M(om=I(x=5)), wire(M(om=I(x=5)), M(oi=2)), wire(M(om=I(x=5)), M(oi=2), M(om=I(s='z'))), wire(M(om=I(x=5)), M(om=I(s='z')))),
    ('size(om.xs) == 1', 'PrP', M(om=I(xs=[1])), wire(M(om=I(xs=[1])), M(oi=2)), wire(M(om=I(xs=[1])), M(oi=2), M(om=I(xs=[4])))),
    ('far == 9', 'Pr', M(far=9), M(far=8)),
    ('b ? i32 == 1 : i32 == 2', 'PrPr', M(b=True,i32=1), M(b=True,i32=2), M(i32=2), M(i32=1)),
    ('(b ? i32 : i64) == 7', 'PrP', M(b=True,i32=7), M(b=True,i64=7), M(i64=7)),
    ('(1 / i32 == 1) == true', 'Prr', M(i32=1), M(i32=2), M()),
    ('(1 / i32 == 1) ? true : true', 'PPr', M(i32=1), M(i32=2), M()),
    ('f32 == 5u && f64 == 6u && sf32 == -5 && sf64 == -6', 'Pr', M(f32=5,f64=6,sf32=-5,sf64=-6), M()),
    ('-i64 == 5', 'Prr', M(i64=-5), M(i64=5), M(i64=-2**63)),
    ('!(1/i32 == 1)', 'Prr', M(i32=2), M(i32=1), M()),
    ('i32 in [1/i64, 2]', 'PrP', M(i32=1,i64=1), M(i32=2,i64=0), M(i32=2,i64=1)),
    ('"this is a const" == s || s.size() == 0', 'P', M()),
    ('true', 'P', M()),
    ('i32 < 5 && i64 < 5 && u32 < 5u && s.size() < 5 && (b || !b)', 'Pr', M(), M(s='12345')),
    # conditions on elements; an error counts unless the result is certain without it
    ('ri.all(x, x > 0)', 'PPrrP', M(), M(ri=[1,2,3]), M(ri=[1,0]), M(ri=[-1]), M(ri=[5]*400)),
    ('ri.exists(x, x == 7)', 'rrPP', M(), M(ri=[1,2,3]), M(ri=[1,7]), M(ri=list(range(1000,3000))+[7])),
    ('ri.exists_one(x, x == 7)', 'rPrr', M(), M(ri=[1,7]), M(ri=[7,7]), M(ri=[1])),
    ('rs.all(x, x.size() < 4 && x != "bad")', 'PPrrr', M(), M(rs=['a','€€€']), M(rs=['a','abcd']), M(rs=['bad']), M(rs=['bad','a'])),
    ('rs.exists(x, x.startsWith("long prefix of"))', 'rPr', M(), M(rs=['a','long prefix of it']), M(rs=['a'])),
    ('ri.all(x, 10 / x > 1)', 'PPrr', M(), M(ri=[1,5]), M(ri=[0]), M(ri=[0,10])),
    ('ri.exists(x, 10 / x == 5)', 'PrrP', M(ri=[0,2]), M(ri=[0,1]), M(ri=[1]), M(ri=[2,0])),
    ('ri.all(x, 10 / x == 5) || true', 'PP', M(ri=[0,2]), M()),
    ('rm.all(x, x.x > 0)', 'PPrrP', M(), M(rm=[I(x=1),I(x=2)]), M(rm=[I(x=1),I()]), M(rm=[I(x=-1),I(x=1)]), M(rm=[I(x=1)]*200)),
    ('rm.all(x, has(x.inner) && x.inner.s == "ok")', 'PPrr', M(), M(rm=[I(inner=I(s='ok'))]*3), M(rm=[I(inner=I(s='ok')),I()]), M(rm=[I(inner=I(s='ok')),I(inner=I())])),
    ('rm.exists(x, x.xs.all(y, y > 5))', 'rPPr', M(), M(rm=[I(xs=[6,7]),I(xs=[1])]), M(rm=[I()]), M(rm=[I(xs=[6,1]),I(xs=[1])])),
    ('rm.all(x, x.xs.exists(y, y == 5) || x.s == "none")', 'PPrP', M(), M(rm=[I(xs=[5]),I(s='none')]), M(rm=[I(xs=[5]),I()]), M(rm=[I(xs=[5])]*50)),
    ('rm.exists_one(x, x.x == 3) && rm.all(x, x.s != "bad") && size(rm) < 4', 'PrrrP', M(rm=[I(x=3),I(x=2)]), M(rm=[I(x=3),I(x=3)]), M(rm=[I(x=3),I(s='bad')]), M(rm=[I(x=3)]+[I()]*3), M(rm=[I(x=3)]+[I()]*2)),
    ('rm.all(x, size(x.xs) == 2)', 'PrP', M(rm=[I(xs=[1,2]),I(xs=[3,4])]), M(rm=[I(xs=[1,2]),I(xs=[3])]), M()),
    ('5 in ri && ri.all(x, x < 10)', 'PrrP', M(ri=[5,6]), M(ri=[5,16]), M(ri=[6]), M(ri=[6]*300+[5])),
    ('om.xs.all(x, x > 1)', 'PPrPP', M(), M(om=I(xs=[2])), M(om=I(xs=[1])), wire(M(om=I(xs=[1])), M(oi=1)), wire(M(om=I(xs=[1])), M(oi=1), M(om=I(xs=[3])))),
    ('rc.all(c, c != Color.BLUE)', 'PPr', M(), M(rc=[0,1]), M(rc=[1,5])),
    ('rd.all(d, d > 0.5)', 'PPr', M(), M(rd=[1,2]), M(rd=[1,float('nan')])),
    ('rm.all(x, x.inner.x == 3 && x.inner.s == "q")', 'P', field(19, wire(I(inner=I(x=3)), I(inner=I(s='q'))))),
    # conversions: what is out of range is an error
    ('int(u64) == 5', 'Prrr', M(u64=5), M(u64=2**63), M(u64=2**64-1), M()),
    ('int(u64) == 9223372036854775807', 'Pr', M(u64=2**63-1), M(u64=2**63)),
    ('uint(i64) == 5u', 'Prr', M(i64=5), M(i64=-5), M(i64=-2**63)),
    ('uint(i64) >= 0u', 'PPr', M(), M(i64=2**63-1), M(i64=-1)),
    ('int(d) == -7', 'PPrr', M(d=-7), M(d=-7.9), M(d=-8), M(d=7.9)),
    ('int(d) == 0', 'PPPPPr', M(), M(d=0.999), M(d=-0.999), M(d=-0.0), M(d=5e-324), M(d=1)),
    ('int(d) >= -9223372036854775807', 'PPrrPrrrr', M(), M(d=2.0**63-1024), M(d=2.0**63), M(d=1e99),
     M(d=-2.0**63+1024), M(d=-2.0**63), M(d=float('inf')), M(d=float('-inf')), M(d=float('nan'))),
    ('int(d) != 5', 'PPrrrr', M(), M(d=2.0**63-1024), M(d=2.0**63), M(d=-2.0**63), M(d=2.0**64), M(d=float('nan'))),
    ('int(d) == i64', 'PPPr', M(d=2.0**52+0.5, i64=2**52), M(d=2.0**53, i64=2**53),
     M(d=-2.0**62-2.0**20, i64=-2**62-2**20), M(d=2.0**53, i64=2**53+1)),
    ('int(f) == i32', 'PPr', M(f=1.5, i32=1), M(f=-2.0**30, i32=-2**30), M(f=float('nan'))),
    ('uint(d) == u64', 'PPPPrr', M(d=3.9, u64=3), M(d=2.0**63, u64=2**63), M(d=2.0**64-2048, u64=2**64-2048),
     M(d=-0.0), M(d=-0.5), M(d=2.0**64)),
    ('uint(d) >= 0u', 'PrrrPr', M(d=0.5), M(d=-1), M(d=float('inf')), M(d=float('nan')), M(d=5e-324),
     M(d=-5e-324)),
    ('double(i64) == d', 'PPPPrP', M(), M(i64=-5, d=-5), M(i64=2**63-1, d=2.0**63), M(i64=-2**63, d=-2.0**63),
     M(i64=5, d=5.5), M(i64=2**53+1, d=2.0**53)),
    ('double(u64) == d', 'PPPr', M(), M(u64=2**64-1, d=2.0**64), M(u64=2**53+3, d=2.0**53+4), M(u64=1, d=-1)),
    ('int(u64) == 5 || u64 == 9223372036854775808u', 'PPr', M(u64=5), M(u64=2**63), M(u64=2**63+1)),
    ('!(int(u64) == 5)', 'rPr', M(u64=5), M(u64=6), M(u64=2**63)),
    ('int(1e99) == 1 || b', 'rP', M(), M(b=True)),
    ('string(y) == "h\u00e9"', 'Prr', M(y='h\u00e9'.encode()), M(y=b'h\xe9'), M()),
    ('string(y).size() == 2 && string(y).startsWith("h")', 'Prr', M(y='h\u00e9'.encode()), M(y=b'h\xe9'), M(y=b'hel')),
    ('string(y) != "x"', 'PPrrrr', M(), M(y=b'y'*50000), M(y=b'y'*50000 + b'\xff'), M(y=b'\xed\xa0\x80'), M(y=b'\xc3'),
     M(y=b'x')),
    ('bytes(s) == y', 'PrP', M(s='\u00e9', y=b'\xc3\xa9'), M(s='\u00e9', y=b'\xe9'), M()),
    ('bytes(s).size() == 4 && uint(s.size()) == 2u', 'Pr', M(s='\u00e9\u00e9'), M(s='abcd')),
    ('bool(b) && int(i32) == 1 && string(s) == "a"', 'Pr', M(b=True, i32=1, s='a'), M(b=True, i32=1)),
    # doubles
    ('d.isNan()', 'Prrr', M(d=float('nan')), M(d=float('inf')), M(), M(d=1)),
    ('f.isNan() || f.isInf()', 'PPPrr', M(f=float('nan')), M(f=float('inf')), M(f=float('-inf')), M(), M(f=3e38)),
    ('d.isInf(1)', 'Prrr', M(d=float('inf')), M(d=float('-inf')), M(d=1.7e308), M(d=float('nan'))),
    ('d.isInf(-1)', 'rPr', M(d=float('inf')), M(d=float('-inf')), M()),
    ('d.isInf(0)', 'PPr', M(d=float('inf')), M(d=float('-inf')), M()),
    ('d.isInf(i32)', 'PrPr', M(d=float('inf'), i32=7), M(d=float('inf'), i32=-7), M(d=float('-inf'), i32=-7), M(i32=1)),
    ('d.isInf(1 / i32)', 'Pr', M(d=float('inf'), i32=1), M(d=float('inf'))),
    ('-d == 4.5', 'Prr', M(d=-4.5), M(d=4.5), M()),
    ('-d > i64', 'PrPr', M(d=-4.5), M(d=4.5), M(d=4.5, i64=-5), M(d=float('nan'))),
    ('d == 1.5 + 0.5', 'Pr', M(d=2), M(d=1.5)),
    # with dyn(), numbers are equal by value, exactly
    ('dyn(i64) == u64', 'PPrr', M(), M(i64=5, u64=5), M(i64=-1, u64=2**64-1), M(i64=5, u64=6)),
    ('dyn(d) == i64', 'PPPrrPr', M(), M(d=-0.0), M(d=-5, i64=-5), M(d=5.5, i64=5), M(d=2.0**53, i64=2**53+1),
     M(d=-2.0**63, i64=-2**63), M(d=2.0**63, i64=2**63-1)),
    ('dyn(u64) != d', 'PrrPPrPP', M(d=2.0**53, u64=2**53+1), M(), M(d=5, u64=5), M(d=-5, u64=5), M(d=float('nan')), M(d=2.0**63, u64=2**63),
     M(d=2.0**64, u64=2**64-1), M(d=0.25)),
    ('dyn(i32) in [1u, 2u] || dyn(i32) in [3.5, 4.0]', 'rPPrPr', M(), M(i32=1), M(i32=2), M(i32=3), M(i32=4), M(i32=-1)),
    # rules that are strings: an empty one passes
    ('i32 > 5 ? "" : "too small"', 'Pr', M(i32=6), M(i32=5)),
    ('i32 > 5 ? "%d is too large".format([i32]) : ""', 'rP', M(i32=6), M(i32=5)),
    ('1 / i32 == 1 ? "" : "not one"', 'Prr', M(i32=1), M(i32=2), M()),
    ('b ? "" : s + os', 'PPrr', M(b=True, s='x'), M(), M(s='x'), M(os='x')),
    ('"%s%s".format([s, y])', 'Prr', M(), M(s='x'), M(y=b'x')),
    ('b ? "" : "%s".format([string(y)])', 'PPrr', M(b=True, y=b'\xff'), M(), M(y=b'x'), M(y=b'\xff')),
    # regular expressions
    ('s.matches("ubb")', 'PrrP', M(s='hubba'), M(s='hub'), M(), M(s='ubb')),
    ('matches(s, "^[a-z]+$")', 'PrrrP', M(s='hubba'), M(s='Hub'), M(), M(s='a1'), M(s='z'*60000)),
    (r's.matches(r"^(\w+)@example\.com$")', 'Prr', M(s='ab@example.com'), M(s='ab@example.com '), M(s='@example.com')),
    ('s.matches("")', 'PP', M(), M(s='x')),
    ('s.matches("^$")', 'Pr', M(), M(s='x')),
    ('s.matches("^.{3}$")', 'PPrr', M(s='abc'), M(s='\u00e4\u4e2d\U0001f600'), M(s='ab'), M(s='ab\n')),
    ('s.matches("[^a]$")', 'rPr', M(s='ba'), M(s='ab'), M()),
    ('s.matches("a+\u00f1+a+")', 'Pr', M(s='ma\u00f1ana'), M(s='manana')),
    ('s.matches("(?i)stra\u00dfe")', 'PPr', M(s='STRA\u1e9eE'), M(s='Stra\u00dfe'), M(s='strasse')),
    ('s.matches("x$")', 'PPr', M(s='y'*65500 + 'x'), M(s='x'*256 + 'yx'), M(s='x'*65500 + 'y')),
    ('s.matches("x")', 'PPPr', M(s='y'*255 + 'x'), M(s='y'*256 + 'x'), M(s='y'*257 + 'x'), M(s='y'*65000)),
    ('s.matches("^a{1000}$")', 'Prr', M(s='a'*1000), M(s='a'*999), M(s='a'*1001)),
    ('s.matches("a") && os.matches("a") && !s.matches("b$")', 'Prr', M(s='a', os='a'), M(s='b', os='a'), M(s='ab', os='a')),
    ('string(y).matches("^.$")', 'PrrP', M(y=b'a'), M(y=b'\xff'), M(y=b'a\xff'), M(y='\u00e4'.encode())),
    ('string(y).matches("a")', 'Pr', M(y=b'a'), M(y=b'a\xff')),
    ('string(y).matches("a") || b', 'P', M(y=b'a\xff', b=True)),
    ('rs.all(x, x.matches("^[0-9]*$"))', 'PPr', M(), M(rs=['1', '', '23']), M(rs=['1', 'x'])),
    ('rm.exists(x, x.s.matches("b$") && x.x > 1)', 'rPr', M(), M(rm=[I(s='b'), I(s='ab', x=2)]), M(rm=[I(s='b'), I(s='a', x=2)])),
    ('(b ? s : os).matches("^a")', 'PPr', M(b=True, s='ab'), M(os='a'), M(s='a')),
    ('s.matches("^a") ? "" : "must match %s".format(["^a"])', 'Pr', M(s='a'), M(s='b')),
]

LEGACY_ROWS = [
    # defaults of absent fields; an explicit 0 is not absent
    ('number == 42', 'PrP', L(), L(number=0), L(number=42)),
    ('has(number)', 'rP', L(), L(number=0)),
    ('name == "nobody in particular"', 'PrP', L(), L(name=''), L(name='nobody in particular')),
    ('name.startsWith("nobody")', 'Pr', L(), L(name='')),
    ('size(name) == 20', 'Pr', L(), L(name='x')),
    ('ratio == -0.5', 'PrP', L(), L(ratio=0), L(ratio=-0.5)),
    ('raw == b"\\001\\377"', 'PrP', L(), L(raw=b''), L(raw=b'\001\377')),
    ('color == Color.GREEN', 'Prr', L(), L(color=1), L(color=7)),
    # an unknown number of a closed enum is an unknown field
    ('color == Color.GREEN', 'PP', bytes.fromhex('1805'), bytes.fromhex('180218031863')),
    ('color == Color.BLUE', 'P', bytes.fromhex('18071803')),
    ('has(color)', 'rP', bytes.fromhex('1803'), bytes.fromhex('1801')),
    ('size(colors) == 2', 'PPrP', L(colors=[1, 7]), bytes.fromhex('2001200520072000'), L(colors=[1]),
     bytes.fromhex('220401630763')),
    ('Color.BLUE in colors', 'Prr', L(colors=[1, 7]), L(colors=[1]), bytes.fromhex('220163')),
    ('has(chosen)', 'PrPr', L(chosen=1), bytes.fromhex('4003'), wire(L(other=3), L(chosen=7)),
     wire(L(chosen=7), L(other=3))),
    ('chosen == Color.BLUE && !has(other)', 'Pr', wire(L(chosen=7), bytes.fromhex('4003')),
     wire(L(chosen=7), L(other=3), bytes.fromhex('4003'))),
    ('other == 3', 'PP', wire(L(other=3)), wire(L(other=3), bytes.fromhex('4003'))),
    # required fields, in each occurrence
    ('true', 'PMMPM', L(part=P(id=1)), L(part=P(name='x')), L(part=P()), L(parts=[P(id=1)]),
     L(parts=[P(id=1), P()])),
    ('true', 'MM', L(piece=P()), L(box=L.Box(part=P()))),
    ('part.name == "x" && part.id == 1', 'P', wire(L(part=P(id=1)), L(part=P(id=1, name='x')))),
    # an entry without its value has an empty one
    ('true', 'PMMPMM', *map(bytes.fromhex, ('7206080112020801', '7204080112' '00', '72020801', '', '7200', '72021200'))),
    # an entry whose value is no number of a closed enum is none, for has() too
    ('has(tints)', 'PrrPP', *map(bytes.fromhex, ('7a0408011001', '7a0408011063', '', '7a04080110637a0408011001',
                                                '7a04080110017a0408011063'))),
    ('!has(tints)', 'rPP', *map(bytes.fromhex, ('7a0408011001', '7a0408011063', ''))),
    ('has(tints) && size(tints) < 2', 'Prr', *map(bytes.fromhex, ('7a0408011001', '7a0408011063',
                                                                  '7a04080110017a0408021001'))),
    # groups
    ('box.width == 3', 'PrrP', L(box=L.Box(width=3)), L(box=L.Box(width=4)), L(),
     wire(L(box=L.Box(width=4)), L(box=L.Box(width=3)))),
    ('box.part.id == 5', 'PP', L(box=L.Box(part=P(id=5))), wire(L(box=L.Box(part=P(id=5))), L(box=L.Box()))),
    ('has(box)', 'rP', L(), L(box=L.Box())),
    ('size(row) == 2', 'rP', L(), L(row=[L.Row(x=1), L.Row()])),
    # of another wire type, a known field is an unknown one
    ('number == 42', 'PP', bytes.fromhex('0a03616263'), bytes.fromhex('0d01020304')),
    ('!has(name)', 'P', bytes.fromhex('1005')),
    ('!has(box)', 'P', bytes.fromhex('3a00')),
    # nobody checked these strings: their length in code points may not exist, which is an error
    ('size(name) < 100', 'PrP', L(name='a'), bytes.fromhex('1201ff'), L(name='\u20ac')),
    ('size(name) < 100 || true', 'P', bytes.fromhex('1201ff')),
    ('name != "x"', 'P', bytes.fromhex('1201ff')),
    ('bytes(name) == b"\\xff"', 'P', bytes.fromhex('1201ff')),
    ('name.matches("^n") || name.matches("^.$")', 'PrPr', L(), bytes.fromhex('1201ff'), L(name='x'),
     bytes.fromhex('12026eff')),
    ('name.matches("x") || true', 'P', bytes.fromhex('1201ff')),
    ('size(string(raw)) == 2 || !has(raw)', 'PrP', L(raw=b'ab'), L(raw=b'a\xff'), L()),
]
# fmt: on


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:60])
def test_rule(row):
    rule, expected, *messages = row
    assert judge(HERE / "rules.proto", "rules.M", messages, "--rule", rule) == expected


@pytest.mark.parametrize("row", LEGACY_ROWS, ids=lambda row: row[0][:60])
def test_legacy_rule(row):
    rule, expected, *messages = row
    assert judge(HERE / "legacy.proto", "legacy.M", messages, "--rule", rule) == expected


def test_one_list_asked_twice_whether_it_is_unique():
    """Asking puts what is asked about into a set."""
    messages = [M(ri=[1, 2]), M(ri=[1, 1]), M(), M(rs=["a"]), M(rs=["a", "a"])]
    for rules, expected in (
        (["ri.unique() && ri.unique()", "rs.unique()", "rs.unique()"], "PrPPr"),
        (["ri.unique()", "!ri.unique()"], "rrrrr"),
        (["!ri.unique() || ri.size() < 3", "ri.unique() || ri.size() < 2"], "PrPPP"),
    ):
        options = [word for rule in rules for word in ("--rule", rule)]
        found = verdicts(HERE / "rules.proto", "rules.M", messages, *options)
        assert ["P" if each == "pass" else "r" for each in found] == list(expected), rules


@pytest.mark.parametrize("rule", ["ri.all(n, n != {})", "rm.all(i, i.x != {})"], ids=["numbers", "messages"])
def test_many_tests_of_one_list(rule):
    """The kernel's stack has no room for what each of them comes to."""
    options = [word for i in range(1, 201) for word in ("--rule", rule.format(i))]
    numbers = [[0, 1000], [0, 7], [200], [9, 8]]
    messages = [M(ri=each, rm=[I(x=x) for x in each]) for each in numbers]
    found = verdicts(HERE / "rules.proto", "rules.M", messages, *options)
    assert found == ["pass", "drop rule rule7", "drop rule rule200", "drop rule rule8"]


def test_required_closed_enum():
    """A number that the enum does not know leaves a required field unset."""
    messages = [bytes.fromhex(text) for text in ("08011001", "08031001", "0801", "080308011001")]
    assert judge(HERE / "legacy.proto", "legacy.Strict", messages) == "PMMP"


def test_required_fields_around_a_submessage():
    """What a submessage has says nothing of the message around it."""
    messages = [bytes.fromhex(text) for text in ("0a0208011001", "0a020801", "10010a020801", "0a001001")]
    assert judge(HERE / "legacy.proto", "legacy.Whole", messages) == "PMPM"
