/**
 * Page tables from declared mappings and raw entries: which words of guest memory they are. SDM vol. 3, 4.3, 4.4.
 */
import type { Mapping, Paging } from "./document.ts";
import { ScenarioError } from "./error.ts";
import { FLAG_BITS, flagBits, hex, toNumber, toWords } from "./values.ts";

const PAGE = 4096;
const GIB = 2 ** 30;
const FULL = "P W U A D";
const LINK = "P W U A";
const { P, PS } = FLAG_BITS;

/** What a mapping's table entries are made of. */
interface Leaf {
  readonly gva: number;
  readonly gpa: number;
  readonly mapping: Mapping;
}

/** Answers the 4-byte words to store: gpa and value. @throws ScenarioError when mappings contradict each other */
export function buildTables(paging: Paging): Map<number, number> {
  const builder = new Builder(paging);
  (paging.map ?? []).forEach((mapping) => {
    builder.map(mapping);
  });
  for (const { gpa, entry, size } of paging.entries ?? []) {
    const { low, high } = toWords(entry);
    const wide = (size ?? (paging.mode === "PAE" ? 8 : 4)) === 8;
    builder.words.set(toNumber(gpa), low);
    if (wide) builder.words.set(toNumber(gpa) + 4, high);
    else if (high !== 0) throw new ScenarioError(`the entry at ${hex(toNumber(gpa))} has more than 32 bits`);
  }
  return builder.words;
}

class Builder {
  readonly words = new Map<number, number>();
  private readonly pae: boolean;
  private readonly root: number;
  private next: number;
  private readonly taken = new Set<number>();

  constructor(paging: Paging) {
    this.pae = paging.mode === "PAE";
    this.root = toNumber(paging.root);
    if (this.root % (this.pae ? 32 : PAGE) !== 0)
      throw new ScenarioError(`root is a multiple of ${this.pae ? "32" : "4096"}, not ${hex(this.root)}`);
    this.next = paging.tables === undefined ? pageOf(this.root) + PAGE : toNumber(paging.tables);
    if (this.next % PAGE !== 0)
      throw new ScenarioError(`tables is a multiple of 4096, not ${hex(this.next)}`);
    this.taken.add(pageOf(this.root));
    for (const { table, directoryAt } of paging.map ?? []) {
      if (table !== undefined) this.taken.add(toNumber(table));
      if (directoryAt !== undefined) this.taken.add(toNumber(directoryAt));
    }
  }

  map(mapping: Mapping): void {
    const size = sizeOf(mapping, this.pae);
    const gva = toNumber(mapping.gva);
    const gpa = toNumber(mapping.gpa);
    if (gva % size !== 0 || gpa % size !== 0)
      throw new ScenarioError(
        `a mapping of ${hex(size)} bytes begins at multiples of that, not ${hex(gva)} and ${hex(gpa)}`,
      );
    const gvaBy = mapping.gvaBy === undefined ? size : toNumber(mapping.gvaBy);
    const gpaBy = mapping.gpaBy === undefined ? size : toNumber(mapping.gpaBy);
    const pages = mapping.pages === undefined ? 1 : toNumber(mapping.pages);
    if (gva + (pages - 1) * gvaBy + size > 2 ** 32)
      throw new ScenarioError(`the mapping at ${hex(gva)} ends behind 4 GiB`);
    for (let i = 0; i < pages; i++) {
      const leaf = { gva: gva + i * gvaBy, gpa: gpa + i * gpaBy, mapping };
      if (this.pae) this.mapPae(leaf, size);
      else this.map32(leaf, size);
    }
  }

  private map32({ gva, gpa, mapping }: Leaf, size: number): void {
    const flags = flagBits(mapping.flags ?? FULL);
    if (flags.high !== 0) throw new ScenarioError(`NX needs entries of 8 bytes: mode PAE`);
    const pdeAt = this.root + Math.floor(gva / 2 ** 22) * 4;
    if (size !== PAGE) {
      const above = Math.floor(gpa / 2 ** 32);
      this.put(
        pdeAt,
        ((gpa % 2 ** 32) | (above << 13) | flags.low | PS) >>> 0,
        `the directory entry of ${hex(gva)}`,
      );
      return;
    }
    const table = this.tableAt(pdeAt, mapping, `${hex(gva)}`, flagBits(mapping.directory ?? LINK).low);
    this.put(
      table + (Math.floor(gva / PAGE) % 1024) * 4,
      ((gpa % 2 ** 32) | flags.low) >>> 0,
      `the entry of ${hex(gva)}`,
    );
  }

  private mapPae({ gva, gpa, mapping }: Leaf, size: number): void {
    const flags = flagBits(mapping.flags ?? FULL);
    const pdpteAt = this.root + Math.floor(gva / GIB) * 8;
    let directory = this.words.get(pdpteAt);
    if (directory === undefined) {
      directory = mapping.directoryAt === undefined ? this.allocate() : toNumber(mapping.directoryAt);
      this.put(pdpteAt, directory | P, "a PDPTE");
      this.put(pdpteAt + 4, 0, "a PDPTE");
    } else {
      directory = pageOf(directory);
      if (mapping.directoryAt !== undefined && toNumber(mapping.directoryAt) !== directory)
        throw new ScenarioError(`the directory of ${hex(gva)} lies at ${hex(directory)} already`);
    }
    const pdeAt = directory + (Math.floor(gva / 2 ** 21) % 512) * 8;
    if (size !== PAGE) {
      this.entry64(
        pdeAt,
        gpa,
        { low: flags.low | PS, high: flags.high },
        `the directory entry of ${hex(gva)}`,
      );
      return;
    }
    const link = flagBits(mapping.directory ?? LINK);
    const table = this.tableAt(pdeAt, mapping, hex(gva), link.low);
    this.words.set(pdeAt + 4, link.high);
    this.entry64(table + (Math.floor(gva / PAGE) % 512) * 8, gpa, flags, `the entry of ${hex(gva)}`);
  }

  /** The page table that a directory entry names, made when there is none. */
  private tableAt(pdeAt: number, mapping: Mapping, gva: string, flags: number): number {
    const there = this.words.get(pdeAt);
    const wanted = mapping.table === undefined ? null : toNumber(mapping.table);
    if (wanted !== null && wanted % PAGE !== 0)
      throw new ScenarioError(`a table lies at a multiple of 4096, not at ${hex(wanted)}`);
    if (there === undefined) {
      const table = wanted ?? this.allocate();
      this.words.set(pdeAt, (table | flags) >>> 0);
      return table;
    }
    if ((there & PS) !== 0) throw new ScenarioError(`${gva} is within a large page already`);
    if (wanted !== null && wanted !== pageOf(there))
      throw new ScenarioError(`the table of ${gva} lies at ${hex(pageOf(there))} already`);
    if (mapping.directory !== undefined && (there & 0xfff) !== flags)
      throw new ScenarioError(`the directory entry of ${gva} has other flags already`);
    return pageOf(there);
  }

  private entry64(at: number, gpa: number, flags: { low: number; high: number }, what: string): void {
    this.put(at, ((gpa % 2 ** 32) | flags.low) >>> 0, what);
    this.words.set(at + 4, (Math.floor(gpa / 2 ** 32) | flags.high) >>> 0);
  }

  private put(at: number, value: number, what: string): void {
    const there = this.words.get(at);
    if (there !== undefined && there !== value) throw new ScenarioError(`${what} is given twice`);
    this.words.set(at, value);
  }

  private allocate(): number {
    while (this.taken.has(this.next)) this.next += PAGE;
    const page = this.next;
    this.taken.add(page);
    return page;
  }
}

const pageOf = (entry: number): number => (entry & 0xffff_f000) >>> 0;

function sizeOf(mapping: Mapping, pae: boolean): number {
  switch (mapping.size ?? "4K") {
    case "4K":
      return PAGE;
    case "2M":
      if (!pae) throw new ScenarioError("a large page without PAE has 4M, not 2M");
      return 2 ** 21;
    case "4M":
      if (pae) throw new ScenarioError("a large page with PAE has 2M, not 4M");
      return 2 ** 22;
  }
}
