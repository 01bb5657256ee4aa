/**
 * Plain values to bytes and back: what snapshots and saved machines are made of. Numbers, strings, booleans, null,
 * arrays, objects and typed arrays; object keys keep their order, so equal values give equal bytes.
 * Format: one tag byte, then the value; all numbers little-endian. No DOM, no Node: `core` has neither.
 */

export type Plain =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float64Array
  | readonly Plain[]
  | { readonly [key: string]: Plain };

/** A damaged or foreign file, in words. */
export class CodecError extends Error {}

const T_NULL = 0;
const T_FALSE = 1;
const T_TRUE = 2;
const T_INT = 3; // 32-bit signed
const T_FLOAT = 4; // 64-bit IEEE
const T_STRING = 5; // length in UTF-16 units, then the units
const T_ARRAY = 6;
const T_OBJECT = 7;
const T_U8 = 8;
const T_U16 = 9;
const T_I32 = 10;
const T_U32 = 11;
const T_F64 = 12;

const DEPTH_LIMIT = 64;

class Writer {
  private buffer = new Uint8Array(1 << 16);
  private view = new DataView(this.buffer.buffer);
  length = 0;

  private room(bytes: number): void {
    const need = this.length + bytes;
    if (need <= this.buffer.length) return;
    const wider = new Uint8Array(Math.max(need + (need >> 2), this.buffer.length * 2));
    wider.set(this.buffer.subarray(0, this.length));
    this.buffer = wider;
    this.view = new DataView(wider.buffer);
  }

  u8(value: number): void {
    this.room(1);
    this.buffer[this.length++] = value;
  }

  u32(value: number): void {
    this.room(4);
    this.view.setUint32(this.length, value, true);
    this.length += 4;
  }

  f64(value: number): void {
    this.room(8);
    this.view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  bytes(value: Uint8Array): void {
    this.room(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
  }

  text(value: string): void {
    this.u32(value.length);
    this.room(value.length * 2);
    for (let i = 0; i < value.length; i++, this.length += 2) {
      this.view.setUint16(this.length, value.charCodeAt(i), true);
    }
  }

  array(tag: number, value: ArrayBufferView & { length: number }): void {
    this.u8(tag);
    this.u32(value.length);
    this.bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  }

  value(value: Plain): void {
    if (value === null) this.u8(T_NULL);
    else if (typeof value === "boolean") this.u8(value ? T_TRUE : T_FALSE);
    else if (typeof value === "number") {
      if ((value | 0) === value && !Object.is(value, -0)) {
        this.u8(T_INT);
        this.u32(value);
      } else {
        this.u8(T_FLOAT);
        this.f64(value);
      }
    } else if (typeof value === "string") {
      this.u8(T_STRING);
      this.text(value);
    } else if (value instanceof Uint8Array) this.array(T_U8, value);
    else if (value instanceof Uint16Array) this.array(T_U16, value);
    else if (value instanceof Int32Array) this.array(T_I32, value);
    else if (value instanceof Uint32Array) this.array(T_U32, value);
    else if (value instanceof Float64Array) this.array(T_F64, value);
    else if (isList(value)) {
      this.u8(T_ARRAY);
      this.u32(value.length);
      for (const item of value) this.value(item);
    } else this.object(value);
  }

  object(value: { readonly [key: string]: Plain }): void {
    const keys = Object.keys(value).filter((key) => value[key] !== undefined);
    this.u8(T_OBJECT);
    this.u32(keys.length);
    for (const key of keys) {
      this.text(key);
      this.value(value[key]!);
    }
  }

  finish(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }
}

const isList = (value: Plain): value is readonly Plain[] => Array.isArray(value);

class Reader {
  private at = 0;
  private readonly view: DataView;

  constructor(private readonly data: Uint8Array) {
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  get left(): number {
    return this.data.length - this.at;
  }

  private need(bytes: number): void {
    if (bytes > this.left) throw new CodecError("the data ends too early");
  }

  private u8(): number {
    this.need(1);
    return this.data[this.at++]!;
  }

  private u32(): number {
    this.need(4);
    const value = this.view.getUint32(this.at, true);
    this.at += 4;
    return value;
  }

  private text(): string {
    const length = this.u32();
    this.need(length * 2);
    let text = "";
    for (let i = 0; i < length; i++, this.at += 2)
      text += String.fromCharCode(this.view.getUint16(this.at, true));
    return text;
  }

  private raw(width: number): Uint8Array {
    const bytes = this.u32() * width;
    this.need(bytes);
    const copy = this.data.slice(this.at, this.at + bytes);
    this.at += bytes;
    return copy;
  }

  value(depth = 0): Plain {
    if (depth > DEPTH_LIMIT) throw new CodecError("the data is nested too deeply");
    const tag = this.u8();
    switch (tag) {
      case T_NULL:
        return null;
      case T_FALSE:
        return false;
      case T_TRUE:
        return true;
      case T_INT:
        return this.u32() | 0;
      case T_FLOAT: {
        this.need(8);
        const value = this.view.getFloat64(this.at, true);
        this.at += 8;
        return value;
      }
      case T_STRING:
        return this.text();
      case T_ARRAY: {
        const length = this.u32();
        this.need(length);
        const list: Plain[] = [];
        for (let i = 0; i < length; i++) list.push(this.value(depth + 1));
        return list;
      }
      case T_OBJECT: {
        const length = this.u32();
        this.need(length);
        const object: Record<string, Plain> = {};
        for (let i = 0; i < length; i++) {
          const key = this.text();
          if (key === "__proto__") throw new CodecError("the data holds a forbidden key");
          object[key] = this.value(depth + 1);
        }
        return object;
      }
      case T_U8:
        return this.raw(1);
      case T_U16:
        return new Uint16Array(this.raw(2).buffer);
      case T_I32:
        return new Int32Array(this.raw(4).buffer);
      case T_U32:
        return new Uint32Array(this.raw(4).buffer);
      case T_F64:
        return new Float64Array(this.raw(8).buffer);
      default:
        throw new CodecError(`the data holds an unknown kind of value (${tag})`);
    }
  }
}

/** A value as bytes. Object members that are undefined are left out. */
export function encode(value: Plain): Uint8Array {
  const writer = new Writer();
  writer.value(value);
  return writer.finish();
}

/** @throws CodecError when the bytes are not one whole value. */
export function decode(bytes: Uint8Array): Plain {
  const reader = new Reader(bytes);
  const value = reader.value();
  if (reader.left !== 0) throw new CodecError("the data goes on behind its end");
  return value;
}

const CRC_TABLE = new Uint32Array(256).map((_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = (c & 1) !== 0 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

/** CRC-32 as in IEEE 802.3 (and zip, PNG); unsigned. */
export function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) c = CRC_TABLE[(c ^ bytes[i]!) & 0xff]! ^ (c >>> 8);
  return ~c >>> 0;
}

/** Bytes in front of a file's body: magic, format version, length, checksum; four words, little-endian. */
const HEADER = 20;

/** Wraps a body: 8 bytes of magic, then version, length and CRC-32 of the body. */
export function seal(magic: string, version: number, body: Uint8Array): Uint8Array {
  const file = new Uint8Array(HEADER + body.length);
  for (let i = 0; i < 8; i++) file[i] = magic.charCodeAt(i);
  const view = new DataView(file.buffer);
  view.setUint32(8, version, true);
  view.setUint32(12, body.length, true);
  view.setUint32(16, crc32(body), true);
  file.set(body, HEADER);
  return file;
}

/** The body of a sealed file. @throws CodecError with a sentence that says what is wrong with the file. */
export function unseal(magic: string, version: number, what: string, file: Uint8Array): Uint8Array {
  let found = "";
  for (let i = 0; i < Math.min(8, file.length); i++) found += String.fromCharCode(file[i]!);
  if (found !== magic)
    throw new CodecError(`this is not ${what.replace(/^the /, "a ")}: it does not begin with "${magic}"`);
  if (file.length < HEADER) throw new CodecError(`${what} is damaged: it ends inside its header`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const theirs = view.getUint32(8, true);
  if (theirs !== version) {
    throw new CodecError(`${what} has format ${theirs}; this version of Quadrant reads format ${version}`);
  }
  const length = view.getUint32(12, true);
  if (length !== file.length - HEADER) {
    throw new CodecError(
      `${what} is damaged: it should have ${length + HEADER} bytes and has ${file.length}`,
    );
  }
  const body = file.subarray(HEADER);
  if (crc32(body) !== view.getUint32(16, true)) {
    throw new CodecError(`${what} is damaged: its checksum does not match its contents`);
  }
  return body;
}
