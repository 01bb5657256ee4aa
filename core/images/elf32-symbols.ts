/**
 * Names from an ELF32 file's .symtab (gABI chapter 4, "Symbol Table"): functions, objects and labels with their
 * virtual addresses. A damaged table costs the names, not the image: the answer is then a sentence instead.
 */
import { hex, u16, u32 } from "./image.ts";

const SHDR_SIZE = 40;
const SYM_SIZE = 16;
const SHT_SYMTAB = 2;
const SHT_STRTAB = 3;
const SHN_LORESERVE = 0xff00;
const STT_FUNC = 2; // NOTYPE 0, OBJECT 1, FUNC 2; SECTION and FILE are no names for addresses

/** More names than this are cut off: they would be no use on screen and a lying size must cost nothing. */
export const MOST_SYMBOLS = 100_000;
const LONGEST_NAME = 256;

export interface SymbolTable {
  readonly symbols: { name: string; address: number }[];
  /** Why there are none, or not all, or null. */
  readonly note: string | null;
}

const none = (note: string | null): SymbolTable => ({ symbols: [], note });

export function readSymbols(bytes: Uint8Array): SymbolTable {
  const shoff = u32(bytes, 32);
  const shentsize = u16(bytes, 46);
  const shnum = u16(bytes, 48);
  if (shoff === 0 || shnum === 0) return none(null);
  if (shentsize !== SHDR_SIZE || shoff + shnum * SHDR_SIZE > bytes.length) {
    return none(`The section headers at ${hex(shoff)} are damaged or cut off, so there are no symbols.`);
  }
  for (let i = 0; i < shnum; i++) {
    const at = shoff + i * SHDR_SIZE;
    if (u32(bytes, at + 4) !== SHT_SYMTAB) continue;
    const link = u32(bytes, at + 24);
    if (link >= shnum)
      return none(`The symbol table names section ${link} for its names; there are ${shnum}.`);
    const strings = shoff + link * SHDR_SIZE;
    if (u32(bytes, strings + 4) !== SHT_STRTAB) {
      return none(`The symbol table names section ${link} for its names, which is no string table.`);
    }
    return readTable(
      bytes,
      { offset: u32(bytes, at + 16), size: u32(bytes, at + 20) },
      { offset: u32(bytes, strings + 16), size: u32(bytes, strings + 20) },
    );
  }
  return none(null);
}

interface Part {
  readonly offset: number;
  readonly size: number;
}

function readTable(bytes: Uint8Array, table: Part, strings: Part): SymbolTable {
  if (table.offset + table.size > bytes.length || strings.offset + strings.size > bytes.length) {
    return none("The symbol table reaches behind the file's end, so there are no symbols.");
  }
  const all = Math.floor(table.size / SYM_SIZE);
  const count = Math.min(all, MOST_SYMBOLS);
  const symbols: { name: string; address: number }[] = [];
  for (let i = 1; i < count; i++) {
    const at = table.offset + i * SYM_SIZE;
    const section = u16(bytes, at + 14);
    if ((bytes[at + 12]! & 15) > STT_FUNC || section === 0 || section >= SHN_LORESERVE) continue;
    const name = readName(bytes, strings, u32(bytes, at));
    if (name !== "") symbols.push({ name, address: u32(bytes, at + 4) });
  }
  symbols.sort((a, b) => a.address - b.address || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return {
    symbols,
    note: all > count ? `Only the first ${MOST_SYMBOLS} of ${all} symbols were read.` : null,
  };
}

/** A zero-terminated name of printable ASCII; "" when it lies outside the table, is too long or is no name. */
function readName(bytes: Uint8Array, strings: Part, at: number): string {
  let name = "";
  for (let i = at; i < strings.size; i++) {
    const code = bytes[strings.offset + i]!;
    if (code === 0) return name;
    if (code <= 0x20 || code > 0x7e || name.length === LONGEST_NAME) return "";
    name += String.fromCharCode(code);
  }
  return "";
}
