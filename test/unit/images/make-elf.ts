/**
 * Makes small ELF32 files for the loader's tests: segments, symbols, and nothing else.
 */

export interface MadeSegment {
  readonly vaddr: number;
  readonly paddr?: number;
  readonly bytes: Uint8Array;
  readonly memsz?: number;
}

export const EHDR = 52;
export const PHDR = 32;
const SHDR = 40;

export function makeElf(
  segments: readonly MadeSegment[],
  entry: number,
  symbols: readonly { name: string; address: number; type?: number }[] = [],
): Uint8Array {
  const phoff = EHDR;
  let at = phoff + segments.length * PHDR;
  const offsets = segments.map((s) => {
    const offset = at;
    at += s.bytes.length;
    return offset;
  });
  let names = "\0";
  const nameAt = symbols.map((s) => {
    const offset = names.length;
    names += `${s.name}\0`;
    return offset;
  });
  const symtab = at;
  const symbolBytes = (symbols.length + 1) * 16;
  const strtab = symtab + symbolBytes;
  const shoff = strtab + names.length;
  const shnum = symbols.length > 0 ? 3 : 0;
  const bytes = new Uint8Array(shoff + shnum * SHDR);
  const view = new DataView(bytes.buffer);
  const u16 = (o: number, v: number) => view.setUint16(o, v, true);
  const u32 = (o: number, v: number) => view.setUint32(o, v, true);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  u16(16, 2);
  u16(18, 3);
  u32(20, 1);
  u32(24, entry);
  u32(28, phoff);
  u32(32, shnum > 0 ? shoff : 0);
  u16(40, EHDR);
  u16(42, PHDR);
  u16(44, segments.length);
  u16(46, SHDR);
  u16(48, shnum);
  segments.forEach((s, i) => {
    const p = phoff + i * PHDR;
    u32(p, 1);
    u32(p + 4, offsets[i]!);
    u32(p + 8, s.vaddr);
    u32(p + 12, s.paddr ?? s.vaddr);
    u32(p + 16, s.bytes.length);
    u32(p + 20, s.memsz ?? s.bytes.length);
    u32(p + 24, 7);
    bytes.set(s.bytes, offsets[i]!);
  });
  if (shnum > 0) {
    symbols.forEach((s, i) => {
      const o = symtab + (i + 1) * 16;
      u32(o, nameAt[i]!);
      u32(o + 4, s.address);
      bytes[o + 12] = 0x10 | (s.type ?? 2);
      u16(o + 14, 1);
    });
    for (let i = 0; i < names.length; i++) bytes[strtab + i] = names.charCodeAt(i);
    const table = shoff + SHDR;
    u32(table + 4, 2);
    u32(table + 16, symtab);
    u32(table + 20, symbolBytes);
    u32(table + 24, 2);
    const strings = shoff + 2 * SHDR;
    u32(strings + 4, 3);
    u32(strings + 16, strtab);
    u32(strings + 20, names.length);
  }
  return bytes;
}

/** A multiboot header of 12 bytes, or of 32 with address fields. */
export function multibootHeader(flags: number, addresses: readonly number[] = []): Uint8Array {
  const bytes = new Uint8Array(12 + addresses.length * 4);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x1badb002, true);
  view.setUint32(4, flags, true);
  view.setUint32(8, -(0x1badb002 + flags) >>> 0, true);
  addresses.forEach((a, i) => {
    view.setUint32(12 + i * 4, a, true);
  });
  return bytes;
}
