// Mutations of messages: of their tree of fields, and of their bytes.
import { ScalarType } from "@bufbuild/protobuf";
import { DELIMITED, END, FIXED32, FIXED64, putVarint, START, VARINT, wireType } from "./wire.js";

// A record is {number, wire, payload or records, pads}: `pads` are surplus bytes of the tag, of the length
// and of the number.

// ---- Chance ----------------------------------------------------------------------------------------------
export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  // Mulberry32.
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  below(limit) {
    return this.next() % limit;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  chance(percent) {
    return this.below(100) < percent;
  }

  bytes(size) {
    return Array.from({ length: size }, () => this.below(256));
  }
}

// ---- Trees -----------------------------------------------------------------------------------------------
function readVarint(bytes, at) {
  let end = at;
  while (bytes[end] & 0x80) end++;
  return end + 1;
}

function varintValue(bytes) {
  return bytes.reduceRight((value, byte) => (value << 7n) | BigInt(byte & 0x7f), 0n);
}

// The entry of a map, as a type with two fields.
function entryType(field) {
  const value = { number: 2, fieldKind: field.mapKind, scalar: field.scalar, enum: field.enum, message: field.message };
  return { fields: [{ number: 1, fieldKind: "scalar", scalar: field.mapKey }, value] };
}

function innerType(field) {
  return field?.fieldKind === "map" ? entryType(field) : field?.message;
}

// The records of a well-formed message.
export function parseTree(desc, bytes) {
  return parseRecords(desc, bytes, 0).records;
}

function parseRecords(desc, bytes, start) {
  const records = [];
  let at = start;
  while (at < bytes.length) {
    const tagEnd = readVarint(bytes, at);
    const tag = varintValue(bytes.slice(at, tagEnd));
    const [number, wire] = [Number(tag >> 3n), Number(tag & 7n)];
    if (wire === END) return { records, at: tagEnd };
    const field = desc?.fields.find((each) => each.number === number);
    const { record, end } = parseRecord(field, bytes, tagEnd, wire);
    records.push({ number, wire, pads: [0, 0, 0], ...record });
    at = end;
  }
  return { records, at };
}

function parseRecord(field, bytes, at, wire) {
  if (wire === START) {
    const inner = parseRecords(innerType(field), bytes, at);
    return { record: { records: inner.records, type: innerType(field) }, end: inner.at };
  }
  const size = { [FIXED64]: 8, [FIXED32]: 4, [VARINT]: readVarint(bytes, at) - at }[wire];
  if (size !== undefined) return { record: { payload: bytes.slice(at, at + size) }, end: at + size };
  const start = readVarint(bytes, at);
  const end = start + Number(varintValue(bytes.slice(at, start)));
  const payload = bytes.slice(start, end);
  if (!innerType(field)) return { record: { payload }, end };
  return { record: { records: parseTree(innerType(field), payload), type: innerType(field) }, end };
}

function padded(bytes, pad) {
  if (!pad) return bytes;
  const last = bytes.length - 1;
  return [...bytes.slice(0, last), bytes[last] | 0x80, ...Array(pad - 1).fill(0x80), 0];
}

export function writeTree(records) {
  return records.flatMap((record) => {
    const tag = padded(putVarint((BigInt(record.number) << 3n) | BigInt(record.wire)), record.pads[0]);
    const content = record.records ? writeTree(record.records) : record.payload;
    if (record.wire === START)
      return [...tag, ...content, ...putVarint((BigInt(record.number) << 3n) | BigInt(END))];
    if (record.wire === DELIMITED) return [...tag, ...padded(putVarint(content.length), record.pads[1]), ...content];
    return [...tag, ...(record.wire === VARINT ? padded(content, record.pads[2]) : content)];
  });
}

// ---- Values ----------------------------------------------------------------------------------------------
const NUMBERS = [0n, 1n, 2n, 3n, 5n, 10n, 100n, 127n, 128n, 255n, 256n, (1n << 31n) - 1n, 1n << 31n, (1n << 32n) - 1n,
  1n << 32n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n, -1n, -2n, -10n];
const DOUBLES = [0, -0, 1, -1, 0.5, 1.5, 2, 3, 10, NaN, Infinity, -Infinity, 1e300, 5e-324];
const TEXTS = ["", "a", "A", "foo", "bar", "é", "€", "😀", "\0", " ", "-", ".", "/", ":", "%41", "::1", "127.0.0.1", "@",
  "example.com", "http://a/b?c#d", "0", "9", "\u00ad", "\u200d", "[", "]", "_", "~", "+", "a.b", "\r\n", "\t"];
const BROKEN = [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0x80]];

function fixed(size, random) {
  const view = new DataView(new ArrayBuffer(8));
  if (random.chance(50)) view.setBigUint64(0, BigInt.asUintN(64, random.pick(NUMBERS)), true);
  else if (size === 8) view.setFloat64(0, random.pick(DOUBLES), true);
  else view.setFloat32(0, random.pick(DOUBLES), true);
  return [...new Uint8Array(view.buffer, 0, size)];
}

function text(random) {
  return [...new TextEncoder().encode(random.pick(TEXTS))];
}

// Bytes with something put in, taken out or changed.
function edited(bytes, random) {
  const at = random.below(bytes.length + 1);
  const taken = random.chance(60) ? random.below(3) : 0;
  const put = random.chance(70) ? (random.chance(10) ? random.pick(BROKEN) : text(random)) : [];
  return [...bytes.slice(0, at), ...put, ...bytes.slice(at + taken)];
}

function payloadOf(wire, random) {
  if (wire === VARINT) return putVarint(random.chance(80) ? random.pick(NUMBERS) : BigInt(random.next()));
  if (wire === FIXED64) return fixed(8, random);
  if (wire === FIXED32) return fixed(4, random);
  return text(random);
}

// A new record of a known field.
function newRecord(field, random, depth) {
  const wire = wireType(field);
  const record = { number: field.number, wire, pads: [0, 0, 0] };
  const type = innerType(field);
  if (!type) return { ...record, payload: payloadOf(wire, random) };
  const fields = depth < 3 ? type.fields.filter(() => random.chance(60)) : [];
  return { ...record, type, records: fields.map((each) => newRecord(each, random, depth + 1)) };
}

function unknownRecord(random) {
  const wire = random.pick([VARINT, FIXED64, DELIMITED, START, FIXED32]);
  const number = random.pick([1, 2, 3, 15, 16, 1000, 536870911, 1 + random.below(40)]);
  const record = { number, wire, pads: [0, 0, 0] };
  if (wire !== START) return { ...record, payload: payloadOf(wire, random) };
  return { ...record, records: random.chance(50) ? [unknownRecord(random)] : [] };
}

// ---- Mutations of trees ----------------------------------------------------------------------------------
// Each changes the records of one message in place; `desc` is its type, if it is known.
const TREE = {
  duplicate(records, desc, random) {
    if (records.length) records.splice(random.below(records.length + 1), 0, cloned(random.pick(records)));
  },
  reorder(records, desc, random) {
    for (let last = records.length - 1; last > 0; last--) {
      const other = random.below(last + 1);
      [records[last], records[other]] = [records[other], records[last]];
    }
  },
  remove(records, desc, random) {
    if (records.length) records.splice(random.below(records.length), 1);
  },
  add(records, desc, random) {
    if (desc?.fields.length)
      records.splice(random.below(records.length + 1), 0, newRecord(random.pick(desc.fields), random, 0));
  },
  addUnknown(records, desc, random) {
    records.splice(random.below(records.length + 1), 0, unknownRecord(random));
  },
  change(records, desc, random) {
    const record = random.pick(records.filter((each) => each.payload));
    if (record)
      record.payload = record.wire === DELIMITED ? edited(record.payload, random) : payloadOf(record.wire, random);
  },
  split(records, desc, random) {
    const places = records.flatMap((each, place) => (each.records && each.wire === DELIMITED ? [place] : []));
    if (!places.length) return;
    const place = random.pick(places);
    const whole = records[place];
    const cut = random.below(whole.records.length + 1);
    const later = { ...whole, records: whole.records.splice(cut) };
    records.splice(place + 1 + random.below(records.length - place), 0, later);
  },
  overlong(records, desc, random) {
    const record = random.pick(records);
    if (record) record.pads[random.below(3)] = random.chance(80) ? 1 + random.below(4) : 1 + random.below(10);
  },
  wireType(records, desc, random) {
    const record = random.pick(records);
    if (!record) return;
    const wire = random.pick([VARINT, FIXED64, DELIMITED, FIXED32]);
    Object.assign(record, { wire, payload: payloadOf(wire, random), records: undefined });
  },
  pack(records, desc, random) {
    const numbers = records.filter((each) => each.payload && each.wire !== DELIMITED);
    if (!numbers.length) return;
    const { number, wire } = random.pick(numbers);
    const payload = numbers.filter((each) => each.number === number && each.wire === wire).flatMap((each) => each.payload);
    records.push({ number, wire: DELIMITED, payload, pads: [0, 0, 0] });
  },
};

function cloned(record) {
  const copy = { ...record, pads: [...record.pads] };
  if (record.records) copy.records = record.records.map(cloned);
  return copy;
}

// A message somewhere in the tree: [records, type].
function somewhere(records, desc, random) {
  const inner = records.filter((each) => each.records);
  if (!inner.length || random.chance(40)) return [records, desc];
  const record = random.pick(inner);
  return somewhere(record.records, record.type, random);
}

// ---- Mutations of bytes ----------------------------------------------------------------------------------
const BYTES = {
  flip(bytes, random) {
    if (!bytes.length) return bytes;
    const copy = [...bytes];
    copy[random.below(bytes.length)] ^= 1 << random.below(8);
    return copy;
  },
  truncate(bytes, random) {
    return bytes.slice(0, random.below(bytes.length + 1));
  },
  tenthByte(bytes, random) {
    return [...bytes, ...putVarint((1 + random.below(20)) << 3), ...Array(9).fill(0x80 | random.below(128)), random.below(4)];
  },
  deep(bytes, random) {
    const number = 1 + random.below(20);
    const depth = 29 + random.below(6);
    const ends = Array(depth).fill(putVarint((number << 3) | END)).flat();
    return [...Array(depth).fill(putVarint((number << 3) | START)).flat(), ...ends, ...bytes];
  },
};
const COMMON = ["flip", "truncate"];

// A mutation of one of the messages of this type, some of it mixed with another one.
export function mutate(desc, wires, random) {
  const records = parseTree(desc, random.pick(wires));
  if (random.chance(15)) records.push(...parseTree(desc, random.pick(wires)));
  for (let round = 0; round <= random.below(3); round++) {
    const [part, type] = somewhere(records, desc, random);
    TREE[random.pick(Object.keys(TREE))](part, type, random);
  }
  let bytes = writeTree(records);
  if (random.chance(20)) bytes = BYTES[random.pick(COMMON)](bytes, random);
  else if (random.chance(3)) bytes = BYTES[random.pick(Object.keys(BYTES))](bytes, random);
  return Uint8Array.from(bytes);
}
