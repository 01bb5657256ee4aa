/**
 * Which guest frames are tables of the current address space, found by peeking from CR3. Kept until CR3, the mode,
 * or one of the directories changes (page versions tell), so that asking every tick costs a few comparisons.
 */
import { type GuestMemory, type GuestPaging, PTE_P, PTE_PS, peek32, tableOf } from "./guest-walk.ts";

export interface GuestTable {
  readonly gfn: number;
  /** 3 PDPT, 2 page directory, 1 page table. */
  readonly level: number;
  readonly entrySize: 4 | 8;
  /** Linear address that its entry 0 maps (the first place where the table is linked). */
  readonly gvaBase: number;
}

export class GuestTables {
  private key = "";
  private seen = 0;
  private directories: number[] = [];
  private tables: GuestTable[] = [];
  private byGfn = new Map<number, GuestTable[]>();

  /** All tables, directories first; the list is the same object while nothing changed. */
  list(where: GuestMemory, paging: GuestPaging): readonly GuestTable[] {
    const key = `${paging.mode} ${paging.cr3} ${paging.pse} ${paging.mode === "PAE" ? paging.pdptes.join() : ""}`;
    if (key !== this.key || this.changed(where)) {
      this.key = key;
      this.collect(where, paging);
    }
    return this.tables;
  }

  /** The tables in a frame (a frame may serve at several levels). Call `list` first in the same tick. */
  at(gfn: number): readonly GuestTable[] {
    return this.byGfn.get(gfn) ?? NONE;
  }

  private changed(where: GuestMemory): boolean {
    const { memory, slots } = where;
    for (const gfn of this.directories) {
      const hfn = slots.hfnOf(gfn);
      if (hfn >= 0 && memory.version[hfn]! > this.seen) return true;
    }
    return false;
  }

  private collect(where: GuestMemory, paging: GuestPaging): void {
    this.seen = where.memory.epoch;
    this.directories = [];
    this.tables = [];
    this.byGfn = new Map();
    if (paging.mode === "2-level") this.directory32(where, paging);
    if (paging.mode === "PAE") this.directoriesPae(where, paging);
    for (const table of this.tables) {
      const there = this.byGfn.get(table.gfn);
      if (there === undefined) this.byGfn.set(table.gfn, [table]);
      else there.push(table);
    }
  }

  private directory32(where: GuestMemory, paging: GuestPaging): void {
    const pd = paging.cr3 >>> 12;
    this.directories.push(pd);
    this.tables.push({ gfn: pd, level: 2, entrySize: 4, gvaBase: 0 });
    if (where.slots.hfnOf(pd) < 0) return;
    const seen = new Set<number>();
    for (let i = 0; i < 1024; i++) {
      const pde = peek32(where, pd * 4096 + i * 4);
      if ((pde & PTE_P) === 0 || ((pde & PTE_PS) !== 0 && paging.pse)) continue;
      const gfn = pde >>> 12;
      if (seen.has(gfn)) continue;
      seen.add(gfn);
      this.tables.push({ gfn, level: 1, entrySize: 4, gvaBase: (i << 22) >>> 0 });
    }
  }

  private directoriesPae(where: GuestMemory, paging: GuestPaging): void {
    this.tables.push({ gfn: paging.cr3 >>> 12, level: 3, entrySize: 8, gvaBase: 0 });
    const seen = new Set<number>();
    const seenDirectory = new Set<number>();
    for (let slot = 0; slot < 4; slot++) {
      const low = paging.pdptes[slot * 2]!;
      if ((low & PTE_P) === 0) continue;
      const pd = tableOf(low, paging.pdptes[slot * 2 + 1]!) / 4096;
      if (seenDirectory.has(pd)) continue;
      seenDirectory.add(pd);
      this.directories.push(pd);
      this.tables.push({ gfn: pd, level: 2, entrySize: 8, gvaBase: (slot << 30) >>> 0 });
      if (where.slots.hfnOf(pd) < 0) continue;
      for (let i = 0; i < 512; i++) {
        const pde = peek32(where, pd * 4096 + i * 8);
        if ((pde & PTE_P) === 0 || (pde & PTE_PS) !== 0) continue;
        const gfn = tableOf(pde, peek32(where, pd * 4096 + i * 8 + 4)) / 4096;
        if (seen.has(gfn)) continue;
        seen.add(gfn);
        this.tables.push({ gfn, level: 1, entrySize: 8, gvaBase: ((slot << 30) | (i << 21)) >>> 0 });
      }
    }
    this.tables.sort((a, b) => b.level - a.level);
  }
}

const NONE: readonly GuestTable[] = [];
