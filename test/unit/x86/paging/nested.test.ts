/**
 * The walk in two dimensions on host tables written by hand: what it reads, sets, keeps and refuses.
 * AMD vol. 2, 15.25.5 to 15.25.7; SDM vol. 3, 28.3.
 */
import { beforeEach, describe, expect, it, test } from "vitest";
import { HostMemory } from "../../../../core/memory/host-memory.ts";
import { Trace } from "../../../../core/trace/trace.ts";
import {
  ACCESS_FETCH,
  ACCESS_USER,
  ACCESS_WRITE,
  NESTED_FAULTS,
  NESTED_GUEST_HITS,
  NESTED_HOST_HITS,
  NESTED_PAGE,
  NESTED_PDE,
  NESTED_PDPT,
  NESTED_PTE,
  NESTED_WALKS,
  NESTED_WIDTH,
  PAGING_32,
  PAGING_OFF,
  PAGING_PAE,
} from "../../../../core/x86/door.ts";
import { Paging } from "../../../../core/x86/paging/unit.ts";
import { WalkCache } from "../../../../core/x86/paging/walk-cache.ts";

const P = 1;
const W = 2;
const U = 4;
const A = 0x20;
const D = 0x40;
const PS = 0x80;
const NX = 0x8000_0000 | 0;

/** Host frames: 1 to 4 the host tables from the top down, guest frame g lies in host frame 16 + g. */
const GUEST = 16;
const ROOT = 0x1000;

let memory: HostMemory;
let unit: Paging;

const set = (frame: number, index: number, low: number, high = 0): void => {
  memory.i32[frame * 1024 + index * 2] = low;
  memory.i32[frame * 1024 + index * 2 + 1] = high;
};
const low = (frame: number, index: number): number => memory.i32[frame * 1024 + index * 2]!;
/** Host frame of the table of a level. */
const tableOf = (levels: number, level: number): number => 1 + levels - level;

/** Host tables that map guest frames 0 to 31. */
function host(levels: 3 | 4, cache = 0): void {
  const link = P | W | U;
  for (let level = levels; level > 1; level--) {
    const bits = level === 3 && levels === 3 ? P : link;
    set(tableOf(levels, level), 0, (tableOf(levels, level - 1) << 12) | bits);
  }
  for (let gfn = 0; gfn < 32; gfn++) set(tableOf(levels, 1), gfn, ((GUEST + gfn) << 12) | link);
  unit.nested.configure(levels, ROOT, cache);
}

/** A guest with a directory at gfn 1 and a page table at gfn 2; its address 0x1000 n is gfn n. */
function guest32(): void {
  memory.i32[(GUEST + 1) * 1024] = 0x2000 | P | W | U;
  for (let n = 0; n < 32; n++) memory.i32[(GUEST + 2) * 1024 + n] = (n << 12) | P | W | U;
  unit.configure(PAGING_32, 0x1000, true, false, true, false);
}

function guestPae(): void {
  unit.configure(PAGING_PAE, 0x3000, true, true, false, false);
  set(GUEST + 3, 0, 0x1000 | P);
  set(GUEST + 1, 0, 0x2000 | P | W | U);
  for (let n = 0; n < 32; n++) set(GUEST + 2, n, (n << 12) | P | W | U);
}

const references = (): number => unit.nested.count.subarray(0, 20).reduce((a, b) => a + b, 0);
const at = (step: number, level: number): number => unit.nested.count[step * NESTED_WIDTH + level]!;

beforeEach(() => {
  memory = new HostMemory(64);
  const trace = new Trace(16);
  trace.on = false;
  unit = new Paging(memory, { frameOf: () => -1 }, trace, (hpa) => memory.touch(hpa >>> 12));
});

describe("references of one walk, (g + 1)(h + 1) - 1", () => {
  test.each([
    [3, 11],
    [4, 14],
  ] as const)("2-level guest over %i host levels: %i", (levels, expected) => {
    host(levels);
    guest32();
    const i = unit.lookup(0x5008, ACCESS_WRITE);
    expect(unit.tlb.hfns[i]).toBe(GUEST + 5);
    expect(unit.tlb.pfns[i]).toBe(5);
    expect(references()).toBe(expected);
    for (let level = 1; level <= levels; level++) {
      for (const step of [NESTED_PDE, NESTED_PTE, NESTED_PAGE]) expect(at(step, level)).toBe(1);
    }
    expect(at(NESTED_PDE, 0)).toBe(1);
    expect(at(NESTED_PTE, 0)).toBe(1);
    // A hit in the TLB reads nothing.
    expect(unit.lookup(0x5ffc, ACCESS_WRITE)).toBe(i);
    expect(references()).toBe(expected);
    expect(unit.nested.count[NESTED_WALKS]).toBe(1);
  });

  test.each([
    [3, 11],
    [4, 14],
  ] as const)("PAE guest, its PDPTEs in registers, over %i: %i", (levels, expected) => {
    host(levels);
    guestPae();
    expect(unit.loadPdptes(0x3000)).toBe(true);
    // The load itself: one translation, four entries.
    expect(references()).toBe(levels + 4);
    expect(at(NESTED_PDPT, 0)).toBe(4);
    const i = unit.lookup(0x5000, 0);
    expect(unit.tlb.hfns[i]).toBe(GUEST + 5);
    expect(references()).toBe(levels + 4 + expected);
  });

  test.each([
    [3, 7],
    [4, 9],
  ] as const)("a large guest page over %i: %i", (levels, expected) => {
    host(levels);
    guest32();
    memory.i32[(GUEST + 1) * 1024] = PS | P | W | U;
    expect(unit.tlb.hfns[unit.lookup(0x5000, 0)]).toBe(GUEST + 5);
    expect(references()).toBe(expected);
  });

  test.each([3, 4] as const)("paging off over %i: the page's translation alone", (levels) => {
    host(levels);
    unit.configure(PAGING_OFF, 0, false, false, false, false);
    expect(unit.tlb.hfns[unit.lookup(0x5000, 0)]).toBe(GUEST + 5);
    expect(references()).toBe(levels);
  });
});

describe("page-walk caches", () => {
  beforeEach(() => {
    host(4, 8);
    guest32();
    unit.lookup(0x5000, 0);
  });

  it("the first walk knows the upper host entries after its first translation", () => {
    // pde: 4 + 1; pte and page: 1 host entry each, and the PTE itself.
    expect(references()).toBe(5 + 2 + 1);
    expect(unit.nested.count[NESTED_HOST_HITS]).toBe(2);
    expect(unit.nested.count[NESTED_GUEST_HITS]).toBe(0);
  });

  it("a second walk begins at the guest's page table", () => {
    const before = references();
    expect(unit.tlb.hfns[unit.lookup(0x6000, 0)]).toBe(GUEST + 6);
    // The PTE, and the lowest host entry of the page.
    expect(references() - before).toBe(2);
    expect(unit.nested.count[NESTED_GUEST_HITS]).toBe(1);
  });

  it("INVLPG and every flush drop the guest's side, not the host's", () => {
    for (const drop of [() => unit.invlpg(0x9000), () => unit.flushForCr3()]) {
      drop();
      const before = references();
      unit.lookup(0x7000, 0);
      unit.tlb.flush(false);
      expect(references() - before).toBe(1 + 1 + 1 + 1 + 1);
    }
  });

  it("a page fault drops what was known of its address", () => {
    memory.i32[(GUEST + 2) * 1024 + 8] = 0;
    expect(unit.lookup(0x8000, 0)).toBe(-1);
    expect(unit.nested.failed).toBe(false);
    expect(unit.nested.knowsDirectory(0x8000)).toBe(false);
  });

  it("keeps the rights of the entry it stands for", () => {
    memory.i32[(GUEST + 1) * 1024]! &= ~W;
    unit.flush(0, false);
    unit.lookup(0x5000, 0);
    expect(unit.nested.knowsDirectory(0x6000)).toBe(true);
    expect(unit.lookup(0x6000, ACCESS_WRITE)).toBe(-1);
    expect(unit.error).toBe(3);
  });

  it("one entry: the one used longest ago makes room", () => {
    const cache = new WalkCache(2);
    cache.put(1, 10, 6);
    cache.put(2, 20, 6);
    expect(cache.find(1)).toBe(true);
    cache.put(3, 30, 6);
    expect([cache.peek(1), cache.peek(2), cache.peek(3)]).toEqual([true, false, true]);
    const copy = new WalkCache(2);
    copy.load(cache.save());
    copy.put(4, 40, 6);
    expect([copy.peek(1), copy.peek(3), copy.used]).toEqual([false, true, 2]);
    expect(copy.find(3) && copy.frame).toBe(30);
    new WalkCache(0).put(1, 1, 1);
  });
});

describe("A and D of the host entries", () => {
  it("a guest table is written as far as they are concerned, a page as the guest does it", () => {
    host(4);
    guest32();
    unit.lookup(0x5000, 0);
    for (let level = 4; level > 1; level--) expect(low(tableOf(4, level), 0) & (A | D)).toBe(A);
    expect(low(4, 1) & (A | D)).toBe(A | D);
    expect(low(4, 2) & (A | D)).toBe(A | D);
    expect(low(4, 5) & (A | D)).toBe(A);
    expect(low(4, 6) & (A | D)).toBe(0);
    // The first store walks again, though the guest's D was set long ago.
    memory.i32[(GUEST + 2) * 1024 + 5]! |= A | D;
    unit.tlb.flush(false);
    const i = unit.lookup(0x5000, 0);
    expect(low(4, 5) & D).toBe(0);
    expect(unit.lookup(0x5000, ACCESS_WRITE)).toBe(i);
    expect(low(4, 5) & D).toBe(D);
  });

  it("the topmost of three levels has PDPTEs: no A", () => {
    host(3);
    guest32();
    unit.lookup(0x5000, 0);
    expect(low(1, 0)).toBe(0x2000 | P);
    expect(low(2, 0) & A).toBe(A);
  });
});

describe("nested faults", () => {
  const fault = () => {
    expect(unit.nested.failed).toBe(true);
    expect(unit.nested.count[NESTED_FAULTS]).toBe(1);
    const { faultStep, faultGfn, faultError } = unit.nested;
    return { step: faultStep, gfn: faultGfn, error: faultError };
  };

  it("no translation of the directory, of the page table, of the page", () => {
    for (const [gfn, step, error] of [
      [1, NESTED_PDE, U | W],
      [2, NESTED_PTE, U | W],
      [5, NESTED_PAGE, U],
    ] as const) {
      unit.nested.count.fill(0);
      host(4);
      guest32();
      set(4, gfn, 0);
      expect(unit.lookup(0x5000, 0)).toBe(-1);
      expect(fault()).toEqual({ step, gfn, error });
      expect(unit.tlb.entries()).toEqual([]);
    }
  });

  it.each([
    ["a write where W is 0", () => set(4, 5, (21 << 12) | P | U), ACCESS_WRITE | ACCESS_USER, P | W | U],
    ["any access where U is 0", () => set(4, 5, (21 << 12) | P | W), 0, P | U],
    ["a fetch where NX is 1", () => set(4, 5, (21 << 12) | P | W | U, NX), ACCESS_FETCH, P | U | 16],
    ["NX above", () => set(3, 0, 0x4000 | P | W | U, NX), ACCESS_FETCH, P | U | 16],
    ["a reserved bit", () => set(4, 5, (21 << 12) | P | W | U, 0x100), 0, P | U | 8],
  ])("%s", (_name, change, access, error) => {
    host(4);
    guest32();
    change();
    expect(unit.lookup(0x5000, access)).toBe(-1);
    expect(fault().error).toBe(error);
    expect(fault().step).toBe(NESTED_PAGE);
  });

  it("W above a guest table is needed although the guest only reads", () => {
    host(4);
    guest32();
    set(4, 2, (18 << 12) | P | U);
    expect(unit.lookup(0x5000, 0)).toBe(-1);
    expect(fault()).toEqual({ step: NESTED_PTE, gfn: 2, error: P | W | U });
  });

  it("a load of PDPTEs is a read, and its fault no #GP", () => {
    host(4);
    guestPae();
    set(4, 3, ((GUEST + 3) << 12) | P | U);
    expect(unit.loadPdptes(0x3000)).toBe(true);
    set(4, 3, 0);
    expect(unit.loadPdptes(0x3000)).toBe(false);
    expect(fault()).toEqual({ step: NESTED_PDPT, gfn: 3, error: U });
  });

  it("a page that may be read but not written is walked again for the store", () => {
    host(4);
    guest32();
    set(4, 5, (21 << 12) | P | U | D);
    memory.i32[(GUEST + 2) * 1024 + 5]! |= D;
    unit.configure(PAGING_32, 0x1000, false, false, true, false); // WP 0: the guest may
    expect(unit.lookup(0x5000, 0)).toBeGreaterThanOrEqual(0);
    expect(unit.lookup(0x5000, ACCESS_WRITE)).toBe(-1);
    expect(fault().error).toBe(P | W | U);
  });

  it("three levels refuse rights in a PDPTE, and PS is reserved above level 2", () => {
    host(3);
    guest32();
    set(1, 0, 0x2000 | P | W);
    expect(unit.lookup(0x5000, 0)).toBe(-1);
    expect(unit.nested.faultError).toBe(P | W | U | 8);
    host(4);
    set(2, 0, 0x3000 | P | W | U | PS);
    expect(unit.lookup(0x5000, 0)).toBe(-1);
    expect(unit.nested.faultError).toBe(P | W | U | 8);
  });
});

it("a large host page spares one level", () => {
  host(4);
  guest32();
  // 2 MiB from host frame 0: guest frame g is host frame g, so the guest is written there.
  memory.i32.copyWithin(8 * 1024, (GUEST + 1) * 1024, (GUEST + 3) * 1024);
  set(3, 0, P | W | U | PS);
  memory.i32[8 * 1024] = 0x9000 | P | W | U;
  unit.configure(PAGING_32, 0x8000, true, false, false, false);
  expect(unit.tlb.hfns[unit.lookup(0x5000, 0)]).toBe(5);
  expect(references()).toBe(3 * 4 - 1);
  expect(low(3, 0) & (A | D)).toBe(A | D);
});

it("the state comes back whole, and off is off", () => {
  host(4, 8);
  guest32();
  unit.lookup(0x5000, ACCESS_WRITE);
  const state = unit.save();
  const other = new Paging(memory, { frameOf: () => -1 }, new Trace(16), () => {});
  other.load(state);
  expect(other.save()).toEqual(state);
  expect(other.tlb.hfns[other.lookup(0x5000, ACCESS_WRITE)]).toBe(GUEST + 5);
  unit.lookup(0x6000, 0);
  other.lookup(0x6000, 0);
  expect(other.nested.count).toEqual(unit.nested.count);
  other.nested.off();
  expect(other.save().nested).toBeUndefined();
  other.flush(0, false);
  expect(other.tlb.hfns[other.lookup(0x6000, 0)] ?? -1).toBe(-1);
});
