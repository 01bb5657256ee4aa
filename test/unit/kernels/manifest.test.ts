/** The list of foreign kernels: what is filled in, and what is refused with a sentence. */
import { expect, test } from "vitest";
import { readManifest } from "../../kernels/manifest.ts";

const one = (kernel: object): string => JSON.stringify({ kernels: [kernel] });
const GOOD = { name: "a", image: "k", steps: [{ expect: "$ ", send: "ls\n" }, { expect: "$ " }] };

test("what is not said is filled in: a pc of 64 MiB, every policy, an image that is sniffed", () => {
  expect(readManifest(one(GOOD))).toEqual([
    {
      ...GOOD,
      kind: "auto",
      machine: "pc",
      disks: [],
      modules: [],
      memory: 64,
      memoryHigh: 0,
      never: [],
      most: 2e9,
      policies: [],
    },
  ]);
});

test.each<[object, RegExp]>([
  [{ image: "k", exit: 0 }, /kernel 1: "name" is missing/],
  [{ name: "a", exit: 0 }, /a: "image" is missing/],
  [{ name: "a", image: "k" }, /a: nothing is expected of it/],
  [{ ...GOOD, name: "../a" }, /"name" should be letters/],
  [{ ...GOOD, kind: "coff" }, /"kind" should be auto or one of/],
  [{ ...GOOD, disks: ["1", "2", "3"] }, /"disks" should be up to two files/],
  [{ ...GOOD, steps: [{ send: "x" }] }, /"steps" should be/],
  [{ ...GOOD, modules: [{ file: "x" }] }, /"modules" should be/],
  [{ ...GOOD, memory: 0.5 }, /"memory" should be/],
  [{ ...GOOD, cpus: 2 }, /unknown field "cpus"/],
])("refuses %j", (kernel, sentence) => {
  expect(() => readManifest(one(kernel))).toThrow(sentence);
});

test("refuses two of the same name, and what is no list", () => {
  expect(() => readManifest(JSON.stringify({ kernels: [GOOD, GOOD] }))).toThrow("two of this name");
  expect(() => readManifest("{}")).toThrow('a list "kernels"');
});
