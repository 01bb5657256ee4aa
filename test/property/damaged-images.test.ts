/**
 * Truncated, oversized and lying images of every kind, 500 of each with fixed seeds: a sentence, or a machine that
 * starts with it and comes to its budget or its stop. Nothing throws, nothing hangs, nothing is stored outside memory.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ImageOptions, kindOf, machineFor, openImage } from "../../core/images/index.ts";
import { Machine } from "../../core/machine/machine.ts";
import type { MachineSetup } from "../../core/machine/setup.ts";
import { Trace } from "../../core/trace/trace.ts";
import { makeElf, multibootHeader } from "../unit/images/make-elf.ts";
import { makeLinux } from "../unit/images/make-linux.ts";

const MIB = 1 << 20;
const MEMORY = 8 * MIB;
const MUTATIONS = 500;
const UNITS = 3000;

// 32-bit code: count down a little, then halt.
const code = Uint8Array.of(0xb9, 50, 0, 0, 0, 0x49, 0x75, 0xfd, ...new Array(200).fill(0x40), 0xfa, 0xf4);
// 16-bit code: write a letter to the serial port, halt.
const sector = Uint8Array.of(0xba, 0xf8, 0x03, 0xb0, 0x41, 0xee, 0xfa, 0xf4);

function signed(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set(sector);
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}

function rom(): Uint8Array {
  const bytes = new Uint8Array(0x10000).fill(0x90);
  bytes.set(sector, 0xe000);
  bytes.set([0xea, 0x00, 0xe0, 0x00, 0xf0], 0xfff0);
  return bytes;
}

function multiboot(): Uint8Array {
  const body = new Uint8Array(64 + code.length);
  body.set(multibootHeader((1 << 16) | 3, [0x100010, 0x100000, 0, 0x108000, 0x100040]), 16);
  body.set(code, 64);
  return body;
}

interface Seed {
  readonly kind: string;
  readonly image: Uint8Array;
  /** Where its headers and tables lie. */
  readonly fields: readonly number[];
  readonly options?: Partial<ImageOptions>;
}

const range = (from: number, to: number, step: number): number[] =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => from + i * step);

const SEEDS: readonly Seed[] = [
  {
    kind: "elf",
    image: makeElf(
      [
        { vaddr: 0x100000, bytes: code },
        { vaddr: 0xc0200000, paddr: 0x200000, bytes: code, memsz: 0x10000 },
      ],
      0x100000,
      [{ name: "start", address: 0x100000 }],
    ),
    fields: range(0, 52 + 64, 2),
  },
  {
    kind: "multiboot",
    image: multiboot(),
    fields: range(16, 16 + 32, 4),
    options: { initrd: new Uint8Array(5000), commandLine: "a b" },
  },
  {
    kind: "linux",
    image: makeLinux(code),
    fields: [...range(0x1f1, 0x1f8, 1), 0x1fe, 0x200, 0x201, ...range(0x202, 0x268, 2)],
    options: { initrd: new Uint8Array(5000).fill(1), commandLine: "console=ttyS0" },
  },
  { kind: "boot-sector", image: signed(160 * 1024), fields: [0, 3, 510] },
  { kind: "disk", image: signed(300 * 512), fields: [0, 3, 446, 454, 510] },
  { kind: "rom", image: rom(), fields: [0xfff0, 0xfff1, 0xfff3, 0xe000] },
];

const LIES = [0, 1, 2, 3, 0x7f, 0xff, 0x100, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff];

type Mutation = (bytes: Uint8Array) => Uint8Array;

function mutation({ fields, image }: Seed): fc.Arbitrary<Mutation> {
  const place = fc.oneof(fc.constantFrom(...fields), fc.nat(image.length - 1));
  const value = fc.oneof(fc.constantFrom(...LIES), fc.nat(0xffffffff));
  return fc.oneof(
    {
      weight: 2,
      arbitrary: fc.oneof(place, fc.nat(image.length)).map((at) => (b: Uint8Array) => b.slice(0, at)),
    },
    {
      weight: 1,
      arbitrary: fc.nat(200_000).map((more) => (b: Uint8Array) => {
        const longer = new Uint8Array(b.length + more).fill(0xcc);
        longer.set(b);
        return longer;
      }),
    },
    {
      weight: 4,
      arbitrary: fc
        .tuple(place, value, fc.constantFrom(1, 2, 4))
        .map(([at, lie, size]) => (b: Uint8Array) => {
          const copy = b.slice();
          for (let i = 0; i < size && at + i < copy.length; i++) copy[at + i] = lie >>> (8 * i);
          return copy;
        }),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(place, fc.nat(7)).map(([at, bit]) => (b: Uint8Array) => {
        const copy = b.slice();
        if (at < copy.length) copy[at]! ^= 1 << bit;
        return copy;
      }),
    },
  );
}

/** A checksum made right again lets a lying multiboot header through to its address fields. */
function mend(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 28) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(16, 0x1badb002, true);
  view.setUint32(24, -(0x1badb002 + view.getUint32(20, true)) >>> 0, true);
  return bytes;
}

/** Opens the image and, if it can be started, starts it. Answers what became of it. */
function tryOut(bytes: Uint8Array, kind: string, options: Partial<ImageOptions>): "refused" | "ran" {
  const known = kindOf(bytes, kind);
  const machine = known.ok ? machineFor(known.kind) : "bare";
  const all: ImageOptions = { memory: MEMORY, memoryHigh: 0, machine, ...options };
  const result = openImage(bytes, kind, all);
  if (!result.ok) {
    expect(result.error).toMatch(/^[a-zA-Z].{20,400}$/);
    expect(result.error).not.toMatch(/undefined|NaN|\[object/);
    return "refused";
  }
  const { image } = result;
  for (const { gpa, length } of [
    ...image.writes.map((write) => ({ gpa: write.gpa, length: write.bytes.length })),
    ...image.zeros,
  ]) {
    expect(gpa >= 0 && length > 0 && gpa + length <= MEMORY).toBe(true);
    if (machine === "pc") expect(gpa + length <= 0xa0000 || gpa >= 0x100000).toBe(true);
  }
  const setup: MachineSetup = {
    machine,
    memory: MEMORY,
    memoryHigh: 0,
    policy: "none",
    tlb: "vmx",
    hazards: {},
    audit: "off",
    findings: "mark",
    unimplemented: "ud",
  };
  const trace = new Trace(1 << 4);
  trace.on = false;
  const pc = Machine.boot(setup, image, trace);
  pc.run(UNITS);
  expect(pc.stop.reason, pc.stop.detail).not.toBe("bug");
  expect(pc.time).toBeLessThanOrEqual(UNITS);
  return "ran";
}

describe.each(SEEDS)("a damaged image: $kind", (seed) => {
  it("as it should be runs", () => {
    expect(tryOut(seed.image, seed.kind, seed.options ?? {})).toBe("ran");
    expect(kindOf(seed.image, "auto")).toEqual({ ok: true, kind: seed.kind });
  });

  it(`${MUTATIONS} mutations: a sentence, or it runs to its budget or its stop`, () => {
    const seen = { refused: 0, ran: 0 };
    const damaged = fc.tuple(
      fc.array(mutation(seed), { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      fc.constantFrom(seed.kind, "auto"),
    );
    fc.assert(
      fc.property(damaged, ([mutations, mended, kind]) => {
        const bytes = mutations.reduce<Uint8Array>((b, mutate) => mutate(b), seed.image.slice());
        const options = kind === "auto" ? {} : (seed.options ?? {});
        seen[tryOut(mended && seed.kind === "multiboot" ? mend(bytes) : bytes, kind, options)]++;
      }),
      { numRuns: MUTATIONS, seed: 20261123 },
    );
    expect(seen.refused).toBeGreaterThan(50);
    expect(seen.ran).toBeGreaterThan(50);
  }, 600_000);
});
