/**
 * The walk against an independent statement of the manual (SDM vol. 3, 4.3, 4.4, 4.6, 4.7, 4.8): random tables, every
 * kind of access; outcome, error code, frame, and the A and D bits left behind. The peeking walk must agree and
 * change nothing.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HostMemory } from "../../../../core/memory/host-memory.ts";
import { Trace } from "../../../../core/trace/trace.ts";
import { PAGING_32, PAGING_PAE } from "../../../../core/x86/door.ts";
import { peekWalk } from "../../../../core/x86/paging/peek.ts";
import { TLB_D, TLB_G, TLB_NX, TLB_U, TLB_W } from "../../../../core/x86/paging/tlb.ts";
import { Paging } from "../../../../core/x86/paging/unit.ts";

const FRAMES = 8;

interface Setup {
  pae: boolean;
  wp: boolean;
  nxe: boolean;
  pse: boolean;
  pge: boolean;
  pdpte: bigint;
  pde: bigint;
  pte: bigint;
  la: number;
  write: boolean;
  user: boolean;
  fetch: boolean;
}

interface Expected {
  error: number;
  frame: bigint;
  pde: bigint;
  pte: bigint;
  w: boolean;
  u: boolean;
  nx: boolean;
  g: boolean;
  d: boolean;
}

const bit = (v: bigint, n: number): boolean => ((v >> BigInt(n)) & 1n) === 1n;
const bits = (v: bigint, high: number, low: number): bigint =>
  (v >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);

/** The manual's rules, written with 64-bit integers and nothing of the implementation. */
function manual(s: Setup): Expected {
  const out: Expected = {
    error: -1,
    frame: 0n,
    pde: s.pde,
    pte: s.pte,
    w: true,
    u: true,
    nx: false,
    g: false,
    d: false,
  };
  const code = (p: boolean, rsvd: boolean): number =>
    (p ? 1 : 0) |
    (s.write ? 2 : 0) |
    (s.user ? 4 : 0) |
    (rsvd ? 8 : 0) |
    (s.fetch && s.pae && s.nxe ? 16 : 0);
  const reserved = (entry: bigint): boolean =>
    s.pae && (bits(entry, 62, 36) !== 0n || (!s.nxe && bit(entry, 63)));
  const denied = (): boolean => {
    if (s.fetch && out.nx) return true;
    if (s.user && !out.u) return true;
    return s.write && !out.w && (s.user || s.wp);
  };
  const take = (entry: bigint): void => {
    out.w &&= bit(entry, 1);
    out.u &&= bit(entry, 2);
    out.nx ||= s.pae && bit(entry, 63);
  };
  const use = (entry: bigint): bigint => {
    out.g = bit(entry, 8) && s.pge;
    out.d = bit(entry, 6) || s.write;
    return entry | 0x20n | (s.write ? 0x40n : 0n);
  };
  if (s.pae && !bit(s.pdpte, 0)) return { ...out, error: code(false, false) };
  if (!bit(s.pde, 0)) return { ...out, error: code(false, false) };
  if (reserved(s.pde)) return { ...out, error: code(true, true) };
  const la = BigInt(s.la >>> 0);
  if (bit(s.pde, 7) && (s.pae || s.pse)) {
    if (s.pae ? bits(s.pde, 20, 13) !== 0n : bits(s.pde, 21, 17) !== 0n) {
      return { ...out, error: code(true, true) };
    }
    take(s.pde);
    if (denied()) return { ...out, error: code(true, false) };
    out.pde = use(s.pde);
    out.frame = s.pae
      ? (bits(s.pde, 35, 21) << 9n) | bits(la, 20, 12)
      : (bits(s.pde, 16, 13) << 20n) | (bits(s.pde, 31, 22) << 10n) | bits(la, 21, 12);
    return out;
  }
  take(s.pde);
  out.pde = s.pde | 0x20n;
  if (!bit(s.pte, 0)) return { ...out, error: code(false, false) };
  if (reserved(s.pte)) return { ...out, error: code(true, true) };
  take(s.pte);
  if (denied()) return { ...out, error: code(true, false) };
  out.pte = use(s.pte);
  out.frame = s.pae ? bits(s.pte, 35, 12) : bits(s.pte, 31, 12);
  return out;
}

/** Mostly zeros above, so that most walks go through; P mostly set. */
const entry = (pae: boolean, frame: bigint): fc.Arbitrary<bigint> =>
  fc
    .record({
      low: fc.nat(0xfff),
      present: fc.integer({ min: 0, max: 9 }),
      nx: fc.integer({ min: 0, max: 4 }),
      odd: fc.integer({ min: 0, max: 11 }),
      where: fc.integer({ min: 12, max: 62 }),
    })
    .map(({ low, present, nx, odd, where }) => {
      let e = BigInt(low) & ~1n;
      if (present > 0) e |= 1n;
      e |= frame << 12n;
      if (pae && nx === 0) e |= 1n << 63n;
      if (odd === 0) e |= 1n << BigInt(pae ? where : 12 + (where % 20));
      return e;
    });

const setup: fc.Arbitrary<Setup> = fc.boolean().chain((pae) =>
  fc.record({
    pae: fc.constant(pae),
    wp: fc.boolean(),
    nxe: fc.boolean(),
    pse: fc.boolean(),
    pge: fc.boolean(),
    pdpte: fc.boolean().map((p) => 0x2000n | (p ? 1n : 0n)),
    pde: entry(pae, 3n),
    pte: entry(pae, 5n),
    la: fc.integer(),
    write: fc.boolean(),
    user: fc.boolean(),
    fetch: fc.boolean(),
  }),
);

describe("the walk", () => {
  it("is the manual's, for every mode and access", () => {
    fc.assert(
      fc.property(setup, (given) => {
        const s = { ...given, write: given.write && !given.fetch };
        const memory = new HostMemory(FRAMES);
        const stored: number[] = [];
        const bus = { frameOf: (pfn: number) => (pfn < FRAMES ? pfn : -1) };
        const trace = new Trace(16);
        const unit = new Paging(memory, bus, trace, (hpa) => stored.push(hpa));
        unit.configure(s.pae ? PAGING_PAE : PAGING_32, 0x2000, s.wp, s.nxe, s.pse, s.pge);
        for (let i = 0; i < 4; i++) unit.pdptes[i * 2] = Number(s.pdpte);
        const la = s.la >>> 0;
        const size = s.pae ? 8 : 4;
        const put = (at: number, v: bigint): void => {
          if (s.pae) memory.view.setBigUint64(at, v, true);
          else memory.view.setUint32(at, Number(v & 0xffff_ffffn), true);
        };
        const get = (at: number): bigint =>
          s.pae ? memory.view.getBigUint64(at, true) : BigInt(memory.view.getUint32(at, true));
        const pdeAt = 0x2000 + (s.pae ? (la >>> 21) & 511 : la >>> 22) * size;
        // The entry's random bits may have moved the table: then it is not there, and reads all ones.
        const tableFrame = s.pae ? bits(s.pde, 35, 12) : bits(s.pde, 31, 12);
        const there = tableFrame < BigInt(FRAMES) && tableFrame !== 2n;
        const pteAt = there
          ? Number(tableFrame) * 4096 + (s.pae ? (la >>> 12) & 511 : (la >>> 12) & 1023) * size
          : -1;
        put(pdeAt, s.pde);
        if (pteAt >= 0) put(pteAt, s.pte);
        const allOnes = s.pae ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;
        const pte = pteAt >= 0 ? get(pteAt) : tableFrame === 2n ? 0n : allOnes;
        fc.pre(tableFrame !== 2n);
        const pde = get(pdeAt);
        const want = manual({ ...s, pde, pte });
        const access = (s.write ? 2 : 0) | (s.user ? 4 : 0) | (s.fetch ? 16 : 0);

        const before = memory.bytes.slice();
        const seen = peekWalk(memory, bus, unit, s.la, access);
        expect(Buffer.compare(memory.bytes, before)).toBe(0);

        const i = unit.lookup(s.la, access);
        expect(i < 0 ? unit.error : -1).toBe(want.error);
        expect(seen.ok ? -1 : seen.error).toBe(want.error);
        expect(get(pdeAt)).toBe(want.pde);
        if (pteAt >= 0) expect(get(pteAt)).toBe(want.pte);
        const changed = (want.pde !== pde ? 1 : 0) + (pteAt >= 0 && want.pte !== pte ? 1 : 0);
        expect(stored.length).toBe(changed);
        if (want.error >= 0) return;
        expect(BigInt(unit.tlb.pfns[i]!)).toBe(want.frame);
        expect(BigInt(seen.pfn)).toBe(want.frame);
        const flags = unit.tlb.flags[i]!;
        expect((flags & TLB_W) !== 0).toBe(want.w);
        expect((flags & TLB_U) !== 0).toBe(want.u);
        expect((flags & TLB_NX) !== 0).toBe(want.nx);
        expect((flags & TLB_G) !== 0).toBe(want.g);
        expect((flags & TLB_D) !== 0).toBe(want.d);
        expect([seen.write, seen.user, seen.nx]).toEqual([want.w, want.u, want.nx]);
      }),
      { numRuns: 4000 },
    );
  });

  it("refuses PDPTEs with reserved bits, and loads nothing then", () => {
    const memory = new HostMemory(FRAMES);
    const unit = new Paging(memory, { frameOf: (p) => (p < FRAMES ? p : -1) }, new Trace(16), () => {});
    memory.view.setBigUint64(0x1020, 0x2001n, true);
    memory.view.setBigUint64(0x1038, 0xf_0000_3001n, true);
    expect(unit.loadPdptes(0x1020)).toBe(true);
    expect(unit.pdptes[0]).toBe(0x2001);
    expect(unit.pdptes[7]).toBe(0xf);
    for (const n of [1, 2, 5, 6, 7, 8, 36, 51, 63]) {
      memory.view.setBigUint64(0x1028, 1n | (1n << BigInt(n)), true);
      expect(unit.loadPdptes(0x1020)).toBe(false);
      memory.view.setBigUint64(0x1028, 1n << BigInt(n), true); // not present: nothing is reserved
      expect(unit.loadPdptes(0x1020)).toBe(true);
    }
    expect(unit.loadPdptes(0x7000_0000)).toBe(false); // no memory reads all ones
  });
});
