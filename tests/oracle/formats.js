// node formats.js SET SEED COUNT: for each format COUNT lines `TYPE WIRE VERDICT`: a message of the suite with
// a mutated string and mutated arguments, and what the oracle says of it.
import { Random } from "./mutate.js";
import { Oracle } from "./oracle.js";
import { loadSchema } from "./schema.js";
import { putVarint } from "./wire.js";

const PREFIX = "buf.validate.conformance.cases.";
const LABELS = ["a", "7", "x-y", "0a", "com", "-", "a-", "", "1".repeat(63), "b".repeat(63), "c".repeat(64), "é"];
const NAMES = ["example.com", "a.b.c", "a.1", "1.a", "xn--a.", "123456789.".repeat(25) + "abc",
  "123456789.".repeat(25) + "abc.", "123456789.".repeat(25) + "abcd", "1".repeat(62) + "a", "a" + "1".repeat(62),
  "1".repeat(31) + "-" + "1".repeat(31), "0", "a.0x", "1.2.3.4.", "256.1.1.1"];
const IP4 = ["0.0.0.0", "127.0.0.1", "255.255.255.255", "192.168.10.99", "10.20.30.40", "1.2.3.4"];
const IP6 = ["::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3::6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "fe80::a:b",
  "2001:0DB8:ABCD:0012::F1", "::ffff:1.2.3.4", "1:2:3:4:5:6:7.8.9.10", "1:2:3::4:5:192.168.1.1", "::f000",
  "1:2:3:4:5:6::1.2.3.0", "1:2:3:4:5:6:7::1.2.3.4"];
const ZONES = ["%eth0", "%25eth0", "%", "% ", "%€", "%%]:1", "%25%c3%96", "%25%c3", "%25"];
const DIGITS = ["0", "1", "2", "5", "9", "00", "25", "10", "a", "F", "g", "ffff", "12345"];
const PORTS = [":0", ":80", ":65535", ":65536", ":60000", ":99999", ":", ":00", ":080", ":+1", ":123456", ":5"];
const LENGTHS = ["/0", "/1", "/8", "/9", "/16", "/20", "/24", "/31", "/32", "/33", "/48", "/63", "/64", "/96", "/112",
  "/120", "/125", "/127", "/128", "/129", "/00", "/08", "/", "/300"];
const ESCAPES = ["%41", "%c3%96", "%e2%82%ac", "%F0%9f%98%80", "%c3", "%80", "%C0%80", "%ed%a0%80", "%ED%9f%bf", "%e0%9f%80",
  "%e0%a0%80", "%f4%90%80%80", "%f4%8F%80%80", "%f0%8f%80%80", "%zz", "%4", "%", "%25"];
const URIS = ["https://example.com/foo/bar?baz=quux#frag", "a:", "a:b", "a:/b", "a:/", "a://", "a+b-c.1://u:p@h:80/",
  "http://[::1]:80/a", "http://[fe80::1%25eth0]", "http://[v1.x:y]/", "http://a@[::]/?#", "mailto:a@b.c", "urn:a:b:c",
  "x://%c3%96.com", "x://u%c3@h", "x:?a#b", "x:#", "x://1.2.3.4:/", "//h", "//[::1]", "/a/b", "/", "a/b:c", "./a:b",
  "?q", "#f", "", "x:?//[::1]", "x:#//u@[::1]/p?q#r", "x:?a@b", "x://:@:"];
const MARKS = ["/", "//", "?", "#", ":", "@", "[", "]", "::", ".", "..", "-", "_", "~", "!", "$", "&", "'", "(", "*", "+",
  ",", ";", "=", "%", "^", "|", "\\", "\"", "<", " ", "\t", "\n", "\0", "\u007f", "é", "€", "😀", "`", "{", "}", "v", "V"];
const PARTS = [...MARKS, ...DIGITS, ...LABELS.slice(0, 7)];

// The suite's type for each function, what its strings are made from, and the values of its arguments by field.
const VERSIONS = [undefined, undefined, 0, 0, 4, 4, 6, 6, 6, 1, -4];
const FLAGS = [undefined, 0, 0, 1];
const FORMATS = {
  IsEmail: { seeds: ["foo@example.com", ".@a", "a!#$%&'*+/=?^_`{|}~-@b", ...NAMES.map((name) => `x@${name}`)], arguments: [] },
  IsHostname: { seeds: NAMES, arguments: [] },
  IsHostAndPort: { seeds: [...NAMES, ...IP4, ...IP6.map((ip) => `[${ip}]`)], ends: PORTS, arguments: [[0, 1]], zone: "]" },
  IsIp: { seeds: [...IP4, ...IP6, ...IP6], ends: ZONES, arguments: [VERSIONS] },
  IsIpPrefix: { seeds: [...IP4, ...IP6, ...IP6], ends: LENGTHS, always: true, arguments: [VERSIONS, FLAGS] },
  IsUri: { seeds: URIS, parts: [...ESCAPES, ...IP6], arguments: [] },
  IsUriRef: { seeds: URIS, parts: [...ESCAPES, ...IP6], arguments: [] },
};

function edited(text, parts, random) {
  const at = random.below(text.length + 1);
  const taken = random.chance(40) ? random.below(4) : 0;
  const put = random.chance(75) ? random.pick(parts) : "";
  return text.slice(0, at) + put + text.slice(at + taken);
}

function spliced(text, other, random) {
  return text.slice(0, random.below(text.length + 1)) + other.slice(random.below(other.length + 1));
}

function withEnd(text, format, random) {
  if (!format.ends || !(format.always || random.chance(50))) return text;
  if (format.zone && text.endsWith(format.zone) && random.chance(30))
    text = text.slice(0, -1) + random.pick(ZONES) + format.zone;
  return text + random.pick(format.ends);
}

function mutated(format, random) {
  let text = withEnd(random.pick(format.seeds), format, random);
  const parts = [...PARTS, ...(format.parts ?? []), ...(format.ends ?? [])];
  if (random.chance(15)) text = spliced(text, random.pick(format.seeds), random);
  for (let edits = random.pick([0, 0, 1, 1, 1, 2, 3]); edits > 0; edits--) text = edited(text, parts, random);
  return text;
}

function message(format, random) {
  const bytes = new TextEncoder().encode(mutated(format, random));
  const values = format.arguments.flatMap((choices, place) => {
    const value = random.pick(choices);
    return value === undefined ? [] : [(place + 2) << 3, ...putVarint(BigInt.asUintN(64, BigInt(value)))];
  });
  return Buffer.from([0x0a, ...putVarint(bytes.length), ...bytes, ...values]);
}

const [set, seed, count] = process.argv.slice(2);
const registry = loadSchema(set);
const oracle = new Oracle(registry);
for (const [name, format] of Object.entries(FORMATS)) {
  const random = new Random(Number(seed));
  const type = registry.getMessage(PREFIX + name);
  const lines = Array.from({ length: Number(count) }, () => {
    const bytes = message(format, random);
    return `${name} ${bytes.toString("hex")} ${oracle.judge(type, bytes).verdict}\n`;
  });
  process.stdout.write(lines.join(""));
}
