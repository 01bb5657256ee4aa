/**
 * What the TLB keeps and drops (SDM vol. 3, 4.10): stale entries until a flush, global pages, INVLPG of large pages,
 * faults, the D bit on a first write.
 */
import { describe, expect, it } from "vitest";
import { ACCESS_FETCH, ACCESS_USER, ACCESS_WRITE } from "../../../../core/x86/door.ts";
import { CR4_PGE, CR4_PSE, movToCr } from "../../../../core/x86/system.ts";
import { TestMachine } from "../test-machine.ts";

const PD = 0x10000;
const PT = 0x11000;

/** One directory, one table that maps page n to frame n with `bits`. */
function paged(bits: number, cr4 = 0): TestMachine {
  const m = new TestMachine();
  m.set32(PD, PT | 7);
  for (let i = 0; i < 1024; i++) m.set32(PT + i * 4, (i << 12) | bits);
  m.paging(PD, 0x8001_0011, cr4);
  return m;
}

const pte = (m: TestMachine, page: number): number => m.get32(PT + page * 4);

describe("TLB", () => {
  it("keeps a stale translation until INVLPG", () => {
    const m = paged(7);
    m.set32(0x5000, 55);
    m.set32(0x6000, 66);
    expect(m.cpu.read32(3, 0x5000)).toBe(55);
    m.set32(PT + 5 * 4, 0x6007);
    expect(m.cpu.read32(3, 0x5000)).toBe(55);
    m.cpu.paging.invlpg(0x5123);
    expect(m.cpu.read32(3, 0x5000)).toBe(66);
  });

  it("drops all but global entries when CR3 is loaded, and those when CR4.PGE changes", () => {
    const m = paged(7, CR4_PGE);
    m.set32(PT + 5 * 4, 0x5107);
    m.set32(0x5000, 55);
    m.set32(0x7000, 77);
    m.cpu.read32(3, 0x5000);
    m.cpu.read32(3, 0x7000);
    m.set32(PT + 5 * 4, 0x8007);
    m.set32(PT + 7 * 4, 0x8007);
    m.set32(0x8000, 88);
    movToCr(m.cpu, 3, PD);
    expect(m.cpu.read32(3, 0x5000)).toBe(55);
    expect(m.cpu.read32(3, 0x7000)).toBe(88);
    movToCr(m.cpu, 4, 0);
    expect(m.cpu.read32(3, 0x5000)).toBe(88);
  });

  it("drops global entries on INVLPG", () => {
    const m = paged(0x107, CR4_PGE);
    m.cpu.read32(3, 0x5000);
    expect(m.cpu.paging.entries()).toHaveLength(1);
    m.cpu.paging.invlpg(0x5fff);
    expect(m.cpu.paging.entries()).toHaveLength(0);
  });

  it("drops every piece of a large page on INVLPG of any address in it", () => {
    const m = paged(7, CR4_PSE);
    m.set32(PD + 4, 0x83);
    for (const la of [0x400000, 0x5ff000, 0x7ff000, 0x1000]) m.cpu.read32(3, la);
    m.cpu.paging.lookup(0x600000, ACCESS_FETCH);
    expect(m.cpu.paging.entries()).toHaveLength(5);
    m.cpu.paging.invlpg(0x612345);
    expect(m.cpu.paging.entries().map((e) => e.la)).toEqual([0x1000]);
  });

  it("walks again for a first write and sets D then, not before", () => {
    const m = paged(0x3);
    m.cpu.read32(3, 0x5000);
    expect(pte(m, 5)).toBe(0x5023);
    m.cpu.write32(3, 0x5000, 1);
    expect(pte(m, 5)).toBe(0x5063);
    m.set32(PT + 5 * 4, 0x5003); // the entry in the TLB still says D
    m.cpu.write32(3, 0x5000, 2);
    expect(pte(m, 5)).toBe(0x5003);
  });

  it("walks again when the entry is too narrow, and lets the walk decide", () => {
    const m = paged(0x5);
    expect(m.cpu.paging.lookup(0x5000, ACCESS_USER)).toBeGreaterThanOrEqual(0);
    m.set32(PT + 5 * 4, 0x5007);
    expect(m.cpu.paging.lookup(0x5000, ACCESS_USER | ACCESS_WRITE)).toBeGreaterThanOrEqual(0);
    expect(pte(m, 5)).toBe(0x5067);
  });

  it("drops the entries of an address that faults, for data and for fetches", () => {
    const m = paged(0x5);
    m.cpu.paging.lookup(0x5000, ACCESS_USER);
    m.cpu.paging.lookup(0x5000, ACCESS_FETCH);
    expect(m.cpu.paging.lookup(0x5000, ACCESS_USER | ACCESS_WRITE)).toBe(-1);
    expect(m.cpu.paging.error).toBe(7);
    expect(m.cpu.paging.entries()).toHaveLength(0);
  });

  it("follows CR0.WP without a flush", () => {
    const m = paged(0x1);
    m.cpu.write32(3, 0x5000, 1);
    expect(m.cpu.faulted).toBe(true);
    m.cpu.faulted = false;
    movToCr(m.cpu, 0, 0x8000_0011 | 0);
    m.cpu.write32(3, 0x5000, 9);
    m.cpu.write32(3, 0x5000, 10);
    expect(m.cpu.faulted).toBe(false);
    expect(m.get32(0x5000)).toBe(10);
    movToCr(m.cpu, 0, 0x8001_0011 | 0);
    m.cpu.write32(3, 0x5000, 11);
    expect(m.cpu.faulted).toBe(true);
    expect(m.get32(0x5000)).toBe(10);
  });

  it("reads all ones and drops stores where there is no memory", () => {
    const m = paged(7);
    m.set32(PT + 5 * 4, 0x7fff_f007);
    m.cpu.write32(3, 0x5000, 1);
    expect(m.cpu.read32(3, 0x5000)).toBe(-1);
    expect(m.cpu.read16(3, 0x5001)).toBe(0xffff);
    expect(m.cpu.read8(3, 0x5003)).toBe(0xff);
    expect(m.cpu.faulted).toBe(false);
  });

  it("stamps page versions once an epoch", () => {
    const m = paged(7);
    const { memory, cpu } = m;
    const hfn = m.base / 4096 + 5;
    cpu.write32(3, 0x5000, 1);
    expect(memory.version[hfn]).toBe(1);
    cpu.newEpoch();
    expect(memory.version[hfn]).toBe(1);
    cpu.write8(3, 0x5001, 1);
    expect(memory.version[hfn]).toBe(2);
    cpu.newEpoch();
    cpu.rmwRead32(3, 0x5000);
    cpu.rmwWrite32(5);
    expect(memory.version[hfn]).toBe(3);
  });
});
