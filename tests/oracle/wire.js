// The wire format, read strictly: what is well formed, as docs/decisions.md says, and what it means.
//
// @bufbuild/protobuf is a lenient parser. Where it deviates from a standard one, the reader decides, or hands
// it a message that means the same and that it understands. Those places are the list below, and no others:
// where none of them is met, the oracle judges the very bytes and must agree on whether they are well formed.
import { ScalarType } from "@bufbuild/protobuf";

// Well formed here and there, but read differently.
export const DEVIATION = {
  WIRE_TYPE: "reads a known field in whatever wire type it comes; it is an unknown field",
  CLOSED_ENUM: "keeps unknown numbers of a closed enum in lists and maps; they are unknown fields",
  UTF8: "replaces what is not UTF-8 in strings that are not verified",
  SKIP: "refuses unknown groups in a known field's place",
};

// Malformed, as docs/decisions.md says, but the oracle may accept it.
export const LENIENT = {
  VARINT: "a varint of more than 64 bits",
  LENGTH: "a length of more than five bytes, or of more than 32 bits",
  BOUNDS: "something that runs past the end of its message",
  DEPTH: "nesting deeper than 32",
  REQUIRED: "a required field is missing",
  PACKED: "a packed list that ends inside of a number",
};

// Malformed for everybody.
export const STRICT = {
  TAG: "a tag of more than 32 bits, of field 0, or of wire type 6 or 7",
  GROUP: "a group that is not closed, or an end that closes none",
  TEXT: "a proto3 string that is not UTF-8",
  END: "the message ends inside of a field",
};

export const MAX_DEPTH = 32;

export const VARINT = 0;
export const FIXED64 = 1;
export const DELIMITED = 2;
export const START = 3;
export const END = 4;
export const FIXED32 = 5;

const FIXED_TYPES = {
  [ScalarType.DOUBLE]: FIXED64, [ScalarType.FIXED64]: FIXED64, [ScalarType.SFIXED64]: FIXED64,
  [ScalarType.FLOAT]: FIXED32, [ScalarType.FIXED32]: FIXED32, [ScalarType.SFIXED32]: FIXED32,
  [ScalarType.STRING]: DELIMITED, [ScalarType.BYTES]: DELIMITED,
};
const LEGACY_REQUIRED = 3;
const decoder = new TextDecoder("utf-8", { fatal: true });

class Malformed extends Error {}

function fail(reason) {
  throw new Malformed(reason);
}

// ---- Bytes ---------------------------------------------------------------------------------------------
// The root's end is the end of the bytes; what crosses an inner end would still be there to read.
class Reader {
  constructor(bytes, start = 0, end = bytes.length) {
    Object.assign(this, { bytes, at: start, end });
  }

  short() {
    return fail(this.end === this.bytes.length ? "END" : "BOUNDS");
  }

  varint(limit, tooLong) {
    const start = this.at;
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (this.at - start === limit) fail(tooLong);
      if (this.at === this.end) this.short();
      const byte = this.bytes[this.at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value;
  }

  number() {
    const value = this.varint(10, "VARINT");
    if (value >= 1n << 64n) fail("VARINT");
    return value;
  }

  tag() {
    const value = this.varint(5, "TAG");
    const [number, wire] = [Number(value >> 3n), Number(value & 7n)];
    if (value >= 1n << 32n || number === 0 || wire > FIXED32) fail("TAG");
    return [number, wire];
  }

  part(size) {
    if (size > this.end - this.at) this.short();
    this.at += size;
    return new Reader(this.bytes, this.at - size, this.at);
  }

  delimited() {
    const size = this.varint(5, "LENGTH");
    if (size >= 1n << 32n) fail("LENGTH");
    return this.part(Number(size));
  }

  get done() {
    return this.at === this.end;
  }

  get rest() {
    return this.bytes.subarray(this.at, this.end);
  }
}

export function putVarint(value) {
  const out = [];
  let left = BigInt.asUintN(64, BigInt(value));
  while (left > 127n) {
    out.push(Number(left & 127n) | 128);
    left >>= 7n;
  }
  return [...out, Number(left)];
}

export function putField(number, wire, payload) {
  const size = wire === DELIMITED ? putVarint(payload.length) : [];
  return [...putVarint((number << 3) | wire), ...size, ...payload];
}

// ---- Messages ------------------------------------------------------------------------------------------
// The wire type of one value of a field.
export function wireType(field) {
  if (field.fieldKind === "map") return DELIMITED;
  if (field.message) return field.delimitedEncoding ? START : DELIMITED;
  return field.enum ? VARINT : (FIXED_TYPES[field.scalar] ?? VARINT);
}

// A map entry as a message of two fields.
function entryOf(field) {
  const key = { number: 1, fieldKind: "scalar", scalar: field.mapKey, utf8Validation: field.utf8Validation };
  const value = { number: 2, fieldKind: field.mapKind, scalar: field.scalar, enum: field.enum,
    message: field.message, utf8Validation: field.utf8Validation };
  return { fields: [key, value] };
}

class Walk {
  constructor() {
    this.deviations = new Set();
  }

  // The message's clean bytes; `group` is the number of the group that it is.
  message(desc, reader, depth, group) {
    if (depth > MAX_DEPTH) fail("DEPTH");
    const out = [];
    const seen = new Set();
    while (!reader.done) {
      const [number, wire] = reader.tag();
      const field = desc.fields.find((each) => each.number === number);
      if (wire === END) {
        if (field) this.deviations.add("WIRE_TYPE");
        if (number !== group) fail("GROUP");
        return this.finished(desc, seen, out);
      }
      const clean = field ? this.field(field, wire, reader, depth) : this.unknown(number, wire, reader, depth);
      if (field && clean) seen.add(number);
      for (const byte of clean ?? []) out.push(byte);
    }
    if (group !== undefined) fail(reader.end === reader.bytes.length ? "GROUP" : "BOUNDS");
    return this.finished(desc, seen, out);
  }

  finished(desc, seen, out) {
    for (const field of desc.fields)
      if (field.presence === LEGACY_REQUIRED && !seen.has(field.number)) fail("REQUIRED");
    return out;
  }

  // Null: the oracle must not see it.
  unknown(number, wire, reader, depth) {
    if (wire === VARINT) reader.number();
    else if (wire === FIXED64) reader.part(8);
    else if (wire === FIXED32) reader.part(4);
    else if (wire === DELIMITED) reader.delimited();
    else this.message({ fields: [] }, reader, depth + 1, number);
    return null;
  }

  field(field, wire, reader, depth) {
    const wanted = wireType(field);
    const packable = field.fieldKind === "list" && ![DELIMITED, START].includes(wanted);
    if (wire === DELIMITED && packable) return this.packed(field, wanted, reader.delimited());
    if (wire !== wanted) {
      this.deviations.add("WIRE_TYPE");
      return this.unknown(field.number, wire, reader, depth);
    }
    const payload = this.value(field, wanted, reader, depth);
    if (payload === null) return null;
    if (wanted !== START) return putField(field.number, wanted, payload);
    return [...putField(field.number, START, payload), ...putField(field.number, END, [])];
  }

  packed(field, wanted, reader) {
    const items = [];
    const end = reader.bytes.length;
    while (!reader.done) {
      try {
        items.push(this.value(field, wanted, reader, 0));
      } catch (error) {
        if (["END", "BOUNDS"].includes(error.message) && reader.end < end + 1) fail("PACKED");
        throw error;
      }
    }
    return putField(field.number, DELIMITED, items.filter((item) => item !== null).flat());
  }

  // One value's clean payload; null: the oracle must not see it.
  value(field, wanted, reader, depth) {
    if (wanted === VARINT) return this.varint(field, reader.number());
    if (wanted === FIXED64) return [...reader.part(8).rest];
    if (wanted === FIXED32) return [...reader.part(4).rest];
    if (wanted === START) return this.message(field.message, reader, depth + 1, field.number);
    const part = reader.delimited();
    if (field.fieldKind === "map") return this.entry(field, part, depth + 1);
    if (field.message) return this.message(field.message, part, depth + 1);
    if (field.scalar === ScalarType.STRING) this.text(field, part.rest);
    return [...part.rest];
  }

  varint(field, value) {
    if (!field.enum || field.enum.open) return putVarint(value);
    const number = Number(BigInt.asIntN(32, value));
    if (field.enum.values.some((each) => each.number === number)) return putVarint(value);
    this.deviations.add("CLOSED_ENUM");
    return null;
  }

  // An entry whose value is unknown to a closed enum is unknown as a whole.
  entry(field, part, depth) {
    const before = this.deviations.has("CLOSED_ENUM");
    this.deviations.delete("CLOSED_ENUM");
    const clean = this.message(entryOf(field), part, depth);
    const unknown = field.enum && this.deviations.has("CLOSED_ENUM");
    if (before || unknown) this.deviations.add("CLOSED_ENUM");
    return unknown ? null : clean;
  }

  text(field, bytes) {
    try {
      decoder.decode(bytes);
    } catch {
      if (field.utf8Validation) fail("TEXT");
      this.deviations.add("UTF8");
    }
  }
}

// {malformed: why it is, or null; deviations; clean: bytes of the same meaning}
export function readMessage(desc, bytes) {
  const walk = new Walk();
  try {
    const clean = walk.message(desc, new Reader(bytes), 0);
    return { malformed: null, deviations: walk.deviations, clean: Uint8Array.from(clean) };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return { malformed: error.message, deviations: walk.deviations, clean: null };
  }
}
