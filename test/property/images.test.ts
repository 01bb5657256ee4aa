/**
 * Damaged images: cut, lengthened, with bits flipped or fields that lie. Each is refused in a sentence, or it loads
 * within the memory and runs to its budget or its stop; nothing throws and nothing hangs.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GUESTS } from "../../core/guests/index.ts";
import { IMAGE_KINDS, openImage } from "../../core/images/index.ts";
import { runBare } from "../conformance/guests/bare.ts";
import { makeElf, multibootHeader } from "../unit/images/make-elf.ts";

const MIB = 1 << 20;
const MEMORY = 4 * MIB;

const elfBody = Uint8Array.from({ length: 400 }, (_, i) => (i < 380 ? 0x40 + (i & 7) : 0xf4));
const multibootElf = (() => {
  const body = elfBody.slice();
  body.set(multibootHeader(3), 16);
  return makeElf([{ vaddr: 0x100000, bytes: body, memsz: 0x3000 }], 0x10001c, [
    { name: "start", address: 0x10001c },
  ]);
})();

/** Right images to begin with. */
const SEEDS: readonly Uint8Array[] = [
  GUESTS[0]!.bytes,
  GUESTS[1]!.bytes,
  makeElf(
    [
      { vaddr: 0x100000, bytes: elfBody },
      { vaddr: 0xc0200000, paddr: 0x200000, bytes: elfBody, memsz: 0x10000 },
    ],
    0x100000,
    [
      { name: "start", address: 0x100000 },
      { name: "data", address: 0xc0200000, type: 1 },
    ],
  ),
  multibootElf,
];

const LIES = [0, 1, 2, 3, 0x7f, 0xff, 0x100, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff];

type Mutation = (bytes: Uint8Array) => Uint8Array;

/** Where headers and tables lie, most of all. */
const offset = fc.oneof(fc.nat(0x100), fc.nat(0x2000), fc.nat());

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  offset.map((at) => (b: Uint8Array) => b.slice(0, at % (b.length + 1))),
  fc.uint8Array({ maxLength: 300 }).map((tail) => (b: Uint8Array) => new Uint8Array([...b, ...tail])),
  fc.tuple(offset, fc.nat(7)).map(([at, bit]) => (b: Uint8Array) => {
    const copy = b.slice();
    if (copy.length > 0) copy[at % copy.length]! ^= 1 << bit;
    return copy;
  }),
  fc
    .tuple(offset, fc.oneof(fc.constantFrom(...LIES), fc.nat(0xffffffff)), fc.constantFrom(2, 4))
    .map(([at, value, size]) => (b: Uint8Array) => {
      const copy = b.slice();
      if (copy.length < 4) return copy;
      const place = (at % (copy.length - 3)) & ~1;
      const view = new DataView(copy.buffer);
      if (size === 2) view.setUint16(place, value & 0xffff, true);
      else view.setUint32(place, value, true);
      return copy;
    }),
);

/** A checksum made right again lets a lying multiboot header through to the address fields. */
function mendChecksum(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 12 <= Math.min(bytes.length, 8192); at += 4) {
    if (view.getUint32(at, true) !== 0x1badb002) continue;
    view.setUint32(at + 8, -(0x1badb002 + view.getUint32(at + 4, true)) >>> 0, true);
  }
  return bytes;
}

const damaged = fc
  .tuple(
    fc.constantFrom(...SEEDS),
    fc.array(mutation, { minLength: 1, maxLength: 4 }),
    fc.boolean(),
    fc.constantFrom(...IMAGE_KINDS),
  )
  .map(([seed, mutations, mend, kind]) => {
    const bytes = mutations.reduce<Uint8Array>((b, mutate) => mutate(b), seed.slice());
    return { bytes: mend ? mendChecksum(bytes) : bytes, kind };
  });

describe("damaged images", () => {
  it("are refused in a sentence, or load within the memory", () => {
    const seen = { refused: 0, loaded: 0 };
    fc.assert(
      fc.property(damaged, ({ bytes, kind }) => {
        const result = openImage(bytes, kind, { memory: MEMORY, memoryHigh: 0 });
        if (!result.ok) {
          seen.refused++;
          expect(result.error).toMatch(/^[a-zA-Z].{20,400}$/);
          expect(result.error).not.toMatch(/undefined|NaN|\[object/);
          return;
        }
        seen.loaded++;
        const { image } = result;
        let total = 0;
        for (const { gpa, length } of [
          ...image.writes.map((w) => ({ gpa: w.gpa, length: w.bytes.length })),
          ...image.zeros,
        ]) {
          expect(gpa >= 0 && length > 0 && gpa + length <= MEMORY).toBe(true);
          total += length;
        }
        expect(total).toBeLessThanOrEqual(MEMORY + 0x2000);
        expect(image.entry >= 0 && image.entry < MEMORY).toBe(true);
        expect(image.symbols.length).toBeLessThanOrEqual(bytes.length / 16);
      }),
      { numRuns: 3000 },
    );
    expect(seen.refused).toBeGreaterThan(300);
    expect(seen.loaded).toBeGreaterThan(300);
  });

  it("that load run to their budget or their stop", () => {
    let ran = 0;
    fc.assert(
      fc.property(damaged, ({ bytes, kind }) => {
        const options = { memory: MEMORY, memoryHigh: 0 };
        if (!openImage(bytes, kind, options).ok) return;
        ran++;
        const run = runBare(bytes, kind, options, 20_000);
        expect(run.retired).toBeLessThanOrEqual(20_000);
        expect(run.stop).toMatch(/^(hlt|budget|triple fault|unimplemented .+)$/);
      }),
      { numRuns: 250 },
    );
    expect(ran).toBeGreaterThan(30);
  });
});
