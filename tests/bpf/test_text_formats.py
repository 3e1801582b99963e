"""What the formats of strings take, judged in the kernel: each row is a rule, what passes, and what does not."""

import ipaddress
import random

import pytest
from judge import HERE, judge, load_messages

RULES = load_messages("rules")
LEGACY = load_messages("legacy")
M, L = RULES.M, LEGACY.M
SEED = 1

LABEL = "a" * 63
NAME = ".".join(["123456789"] * 25) + ".abc"  # of 253 characters
assert len(NAME) == 253

# fmt: off
TABLE = [
    ('s.isEmail()',
     ['a@b', 'first.last+tag@example.com', '..@b.c', "!#$%&'*+/=?^_`{|}~-@x", '0@1.2.3', f'a@{LABEL}.{LABEL}',
      'a@b-c.d--e', 'x' * 2000 + '@b', 'a@' + 'b.' * 400 + 'c'],
     ['', '@', 'a@', '@b', 'a', 'a@b.', 'a@.b', 'a@b..c', 'a@-b', 'a@b-', 'a@b_c', 'a b@c', 'a@b@c', '"a b"@c', 'a@[1.2.3.4]',
      'é@b', 'a@é', ' a@b', 'a@b ', 'a@b\n', f'a@{LABEL}a', '(x)a@b', 'a,b@c', 'a@b\0']),
    ('s.isHostname()',
     ['a', 'A', 'a.', 'example.com', 'x1', '1x', '1.2.3.4a', '0.x', 'a-b.c--d', LABEL, f'{LABEL}.{LABEL}.', '1' * 62 + 'a',
      'a' + '1' * 62, '1-1', '1' * 31 + '-' + '1' * 31, NAME, NAME + '.', 'a.' * 126 + 'a'],
     ['', '.', '..', '.a', 'a..', 'a..b', '-a', 'a-', 'a.-b', 'a-.b', '1', 'a.1', 'a.1.', '1.2.3.4', 'a_b', 'a b', ' a', 'a ',
      'é.com', 'a.é', LABEL + 'a', LABEL + 'a.b', 'b.' + LABEL + 'a', '1' * 63, '1' * 63 + 'a', '1-', '1' * 62 + '-', NAME + 'a',
      'a.' * 126 + 'ab', 'a.' * 127 + 'a.', 'a\n', 'a\0', 'a:1', '[a]']),
    ('s.isHostAndPort(true)',
     ['a:0', 'a.:1', '1.2.3.4:65535', 'example.com:10000', '[::1]:80', '[1:2:3:4:5:6:7:8]:9', '[::1%x]:0', '[::1%a]:5]:80',
      '[::%]]:1', '[::ffff:1.2.3.4]:59999', NAME + ':65535', NAME + '.:0', 'a:65529', '[::1%' + 'z' * 300 + ']:1'],
     ['', ':', ':80', 'a', 'a:', '1.2.3.4', '[::1]', '[::1]:', 'a:00', 'a:01', 'a:65536', 'a:65540', 'a:65600', 'a:66000', 'a:70000',
      'a:100000', 'a:+1', 'a:-1', 'a: 1', 'a:1 ', 'a:1:1', 'a::1', '::1', '::1:80', '[::1]80', '[::1:80', '[1.2.3.4]:80', '[a]:80',
      '[]:80', '[::1%]:80', '1.2.3:80', '1.2.3.4.:80', '256.1.1.1:80', NAME + 'a:1', NAME + 'a.:1', 'é:80', 'a:٣']),
    ('s.isHostAndPort(false)',
     ['a', 'a.', 'a:0', '1.2.3.4', '1.2.3.4:80', '[::1]', '[::1]:80', '[::1%x:80]', '[::1%a]:80]', NAME, NAME + '.', NAME + '.:12345'],
     ['', ':', 'a:', ':80', '1.2.3', '[::1]:', '[::1', '::1', '[1.2.3.4]', NAME + 'a', NAME + 'a:80', NAME + '..', 'a:99999']),
    ('s.isIp(4)',
     ['0.0.0.0', '255.255.255.255', '249.250.199.200', '1.20.100.99', '127.0.0.1'],
     ['', '.', '1', '1.2.3', '1.2.3.', '1.2.3.4.', '.1.2.3.4', '1.2.3.4.5', '1..2.3', '256.0.0.0', '0.0.0.260', '1.2.3.999', '01.2.3.4',
      '1.2.3.00', '0x1.2.3.4', '1.2.3.4 ', ' 1.2.3.4', '1.2.3.4/8', '1.2.3.4%x', '::1', '1.2.3.a', '1,2.3.4', '1.2.3.1000', '1.2.3.4\n']),
    ('s.isIp(6)',
     ['::', '::1', '1::', '1:2:3:4:5:6:7:8', 'ABCD:EF01:2345:6789:abcd:ef01:2345:6789', '1:2:3:4:5:6:7::', '::2:3:4:5:6:7:8', '1::8',
      '1:2:3::5:6:7:8', '0:0:0:0:0:0:0:0', '0001::', '::1.2.3.4', '1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5::1.2.3.4', '::5:6:255.255.255.255', '::1%eth0',
      '::1%€', '::1%%', '1:2:3:4:5:6:7:8%\0', '::1% /'],
     ['', ':', ':::', '1', '1:', ':1', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8:', ':1:2:3:4:5:6:7:8', '1::2::3', ':::1',
      '1:::2', '12345::', '::g', '::1%', '::%', '1:2:3:4:5:6:7:8::', '::1:2:3:4:5:6:7:8', '1:2:3:4::5:6:7:8', '::1.2.3', '::1.2.3.256',
      '1:2:3:4:5:6:7:1.2.3.4', '1:2:3:4:5:1.2.3.4', '1.2.3.4::', '::1.2.3.4:5', '::1.2.3.4%x', '::01.2.3.4', '[::1]', '::1/64', ' ::1',
      '::1 ', '1.2.3.4', '%x', '1%x']),
    ('s.isIp()', ['1.2.3.4', '::1', '::1.2.3.4', '::1%x'], ['', '1.2.3', '1.2.3.4%x', ':1', 'a']),
    ('s.isIp(0)', ['1.2.3.4', '::1'], ['', '1.2.3', ':1']),
    ('s.isIp(5)', [], ['1.2.3.4', '::1', '']),
    ('s.isIp(-4)', [], ['1.2.3.4', '::1', '']),
    ('s.isIpPrefix(4)',
     ['0.0.0.0/0', '1.2.3.4/1', '1.2.3.4/9', '1.2.3.4/10', '1.2.3.4/29', '255.255.255.255/32'],
     ['', '/', '/8', '1.2.3.4', '1.2.3.4/', '1.2.3.4/33', '1.2.3.4/40', '1.2.3.4/100', '1.2.3.4/01', '1.2.3.4/00', '1.2.3.4/-1',
      '1.2.3.4/8 ', '1.2.3/8', '1.2.3.4//8', '1.2.3.4/8/8', '1.2.3.4/0x8', '::/8', '1.2.3.4/a']),
    ('s.isIpPrefix(6)',
     ['::/0', '::1/128', '::1/9', '1:2:3:4:5:6:7:8/99', '1:2:3:4:5:6:1.2.3.4/127', '::1.2.3.4/100', '::1/119', '::1/120'],
     ['', '::', '::/', '::/129', '::/130', '::/200', '::/1000', '::/064', '::%x/64', '::1%x/64', '::1/64%x', '1.2.3.4/8', '/64', '1/64',
      '::1/64/64', '::/64 ', '1:2:3:4:5:6:7/64']),
    ('s.isIpPrefix()', ['1.2.3.4/8', '::1/64', '::1.2.3.4/64'], ['', '1.2.3.4/64', '1.2.3.4', '::1']),
    ('s.isIpPrefix(5)', [], ['1.2.3.4/8', '::1/64']),
    ('s.isIpPrefix(0, false)', ['1.2.3.4/8', '::1/64'], ['1.2.3.4/33']),
    ('s.isIpPrefix(4, true)',
     ['0.0.0.0/0', '1.2.3.4/30', '1.2.3.4/32', '10.0.0.0/8', '128.0.0.0/1', '255.255.255.254/31', '1.2.128.0/17'],
     ['1.2.3.4/29', '0.0.0.1/0', '0.0.0.1/31', '1.2.3.4/8', '10.0.0.1/8', '128.0.0.0/0', '1.2.128.0/16', '::/0', '1.2.3.4/33']),
    ('s.isIpPrefix(6, true)',
     ['::/0', '::/128', '8000::/1', '1::/16', '1:2:3:4::/64', '1:2:3:4:8000::/65', '::1/128', '::8/125', '1::8/125', '::1.2.3.0/120',
      '1:2:3:4:5:6:1.2.3.4/126', '1:2:3:4:5:6:7:8000/113', '1:0:0:0:0:0:0:0/16', '::1:0:0/96', '1:2::0:0/32', '0:0:0:0:0:0:0:0/0'],
     ['::1/127', '8000::/0', '1::/15', '1:2:3:4::1/64', '1:2:3:4:8000::/64', '::8/124', '1::8/124', '::1.2.3.1/120', '1::1.2.3.0/119',
      '1:2:3:4:5:6:1.2.3.4/125', '1:2:3:4:5:6:7:8000/112', '::1:0:0/95', '1.0.0.0/8', '::ffff/111', '1:2:3:4:5:6:7::/111']),
    ('s.isIpPrefix(true)', ['10.0.0.0/8', '1::/16'], ['10.0.0.1/8', '1::1/16', '10.0.0.0', '']),
    ('s.isUri()',
     ['a:', 'a:b', 'a:/', 'a:/b', 'a://', 'a:///', 'a:b//c', 'a:?', 'a:#', 'a:?#', 'a:?a?/b#c?/d', 'A1+-.:x', 'http://a', 'http://a/',
      'http://a:/', 'http://:80', 'http://a:99999999', 'http://u@h', 'http://u:p:q@h:1/x', 'http://@', 'http://%c3@h', 'http://%c3%96',
      'http://%F0%9F%98%80.x', 'http://%41%00', 'http://1.2.3.999', "http://!$&'()*+,;=-._~", 'http://[::]', 'http://[1::2:3]:80/a',
      'http://[::1%25a]', 'http://[::1%25%c3%96-]', 'http://[v1.x]', 'http://[vF0.:a:]/', 'mailto:a@b', 'urn:a:b', 'a:%c3', 'a:/%80/%ff',
      'http://a/%c3', 'http://a?%c3#%80', 'a:@:', 'http://a/b:c@d', 'file:///etc/x', 'a:' + 'b' * 5000],
     ['', ':', 'a', '/a', '//a', '1a:b', '+a:b', 'a_b:c', 'é:b', ' a:b', 'a:b ', 'a: b', 'a:b\n', 'a:é', 'a:%', 'a:%4', 'a:%4g', 'a:[', 'a:]',
      'a:^', 'a:|', 'a:"', 'a:<', 'a:\\', 'a:`', 'a:{', 'a:#a#b', 'a:##', 'a:?[', 'a:#]', 'http://a b', 'http://a:b', 'http://a:1:1',
      'http://a@b@c', 'http://a:1@b:c', 'http://[', 'http://[]', 'http://]', 'http://[::1', 'http://::1', 'http://[::1]a', 'http://[1.2.3.4]',
      'http://[::1.2.3.4]', 'http://[::1%a]', 'http://[::1%25]', 'http://[::1%25%c3]', 'http://[:1]', 'http://[1:2]', 'http://[12345::]',
      'http://[v1x]', 'http://[v.x]', 'http://[vg.x]', 'http://[v1.]', 'http://[V1.x]', 'http://%c3', 'http://%80', 'http://%C0%80',
      'http://%E0%9f%80', 'http://%ED%A0%80', 'http://%f0%8f%80%80', 'http://%f4%90%80%80', 'http://%f5%80%80%80', 'http://%c3a%96',
      'http://%c3:80', 'http://a^', 'http://u@%c3', 'a:\0']),
    ('s.isUriRef()',
     ['', 'a:', 'http://[::1]', '/', '/a', '//', '///', '//h', '//u@[::1]:80/p?q#r', 'a', './a:b', 'a/b:c', '?', '#', '?a#b', '*', '@', '%41',
      '%c3', '/a:b', '../x', 'a@b', '.', '//%c3%96', '?:', '#:@/?'],
     [':', ':a', '1:a', '1a:b/c', '@:', 'a%', '%4', ' ', 'a b', 'é', '//[', '//[::1', '//%c3', '//a:b', '//h^', '/[', '/a]', '?[', '#[', '##', '#a#',
      'a#b#c', '?^', '\\', '"', '\n', '/\x7f', '//[v1.x', '//a@b@c', 'a:b[', '\0']),
    ('"1.2.3.4".isIp() && s == ""', [''], ['x']),
    ('rs.all(x, x.isHostname())', [M(), M(rs=['a', 'b.c'])], [M(rs=['a', 'b.1']), M(rs=['']), M(rs=['-', 'a'])]),
    # arguments that the message decides
    ('s.isIp(i32)',
     [M(s='1.2.3.4'), M(s='::1'), M(s='1.2.3.4', i32=4), M(s='::1', i32=6)],
     [M(s='1.2.3.4', i32=6), M(s='::1', i32=4), M(s='::1', i32=1), M(s='1.2.3.4', i32=-1), M(s='x'), M()]),
    ('s.isIpPrefix(i64, b)',
     [M(s='1.2.3.4/8'), M(s='1.0.0.0/8', b=True), M(s='::1/8', i64=6), M(s='100::/8', i64=6, b=True)],
     [M(s='1.2.3.4/8', b=True), M(s='1.0.0.0/8', i64=6), M(s='::1/8', i64=6, b=True), M(s='::1/8', i64=2**32)]),
    ('s.isIpPrefix(b)', [M(s='1.2.3.4/8'), M(s='1.0.0.0/8', b=True)], [M(s='1.2.3.4/8', b=True), M(s='::1/8', b=True)]),
    ('s.isHostAndPort(b)', [M(s='a'), M(s='a:1'), M(s='a:1', b=True)], [M(s='a', b=True), M(s='[::1]', b=True), M(s='a:', b=True)]),
    ('(b ? s : os).isEmail()', [M(s='a@b', b=True), M(os='a@b')], [M(s='a@b'), M(os='a@b', b=True)]),
    # an error in an operand is the test's, whatever else
    ('!s.isIp(4 / i32)', [M(i32=1), M(s='::1', i32=1)], [M(), M(s='::1'), M(s='1.2.3.4', i32=1)]),
    ('!s.isIpPrefix(5, 1 / i32 == 1)', [M(i32=1), M(i32=2)], [M()]),
    ('!s.isHostAndPort(1 / i32 == 1)', [M(i32=1)], [M(), M(s='a:1')]),
    ('s.isIp(4 / i32) || true', [M()], []),
]
LEGACY_TABLE = [
    ('name.isHostname() || name.isIp(6)', [L(name='a'), L(name='::1%\u20ac')], [L(), bytes.fromhex('1201ff')]),
    ('!name.isHostname()', [L(name='')], [bytes.fromhex('1201ff'), bytes.fromhex('12026180')]),
    ('!name.isIp(5) && !name.isUri()', [L(name='')], [bytes.fromhex('1201ff')]),
    ('name.isEmail() || true', [bytes.fromhex('1201ff')], []),
    ('string(raw).isIp() || has(name)', [L(raw=b'::1'), L(raw=b'\xff', name='')], [L(raw=b'::1%\xff')]),
]
# fmt: on


def rows(table):
    """As those of test_rules: a rule, the verdicts, the messages; a string is the message that has it."""
    for rule, passing, dropped in table:
        messages = [M(s=each) if isinstance(each, str) else each for each in [*passing, *dropped]]
        yield rule, "P" * len(passing) + "r" * len(dropped), *messages


ROWS, LEGACY_ROWS = list(rows(TABLE)), list(rows(LEGACY_TABLE))


def check(schema, row):
    rule, expected, *messages = row
    found = judge(HERE / f"{schema}.proto", f"{schema}.M", messages, "--rule", rule)
    wrong = [f"{verdict}: {message}" for verdict, right, message in zip(found, expected, messages) if verdict != right]
    assert not wrong, wrong


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_format(row):
    check("rules", row)


@pytest.mark.parametrize("row", LEGACY_ROWS, ids=lambda row: row[0])
def test_format_of_legacy_strings(row):
    check("legacy", row)


# ---- Networks, by Python's own library -----------------------------------------------------------
def random_network(rng):
    """Text of an address and a length, mostly that of its network or near to it."""
    family, bits = rng.choice([(ipaddress.IPv4Address, 32), (ipaddress.IPv6Address, 128)])
    size = rng.randint(0, bits)
    zeros = min(bits, max(0, bits - size + rng.choice([-3, -1, -1, 0, 0])))
    number = rng.getrandbits(bits) >> zeros << zeros
    if bits == 128 and rng.random() < 0.5:  # a run of zeros
        low = rng.randrange(0, 112, 16)
        number &= ~(((1 << rng.choice([32, 48, 64, 80])) - 1) << low)
    address = family(number)
    return f"{address if rng.random() < 0.8 else address.exploded}/{size}"


def is_network(text):
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def test_networks():
    rng = random.Random(SEED)
    texts = [random_network(rng) for _ in range(4000)]
    expected = "".join("P" if is_network(text) else "r" for text in texts)
    found = judge(HERE / "rules.proto", "rules.M", [M(s=text) for text in texts], "--rule", "s.isIpPrefix(true)")
    wrong = [text for text, verdict, right in zip(texts, found, expected) if verdict != right]
    assert not wrong, wrong[:10]
    assert 0.2 < expected.count("P") / len(expected) < 0.8
