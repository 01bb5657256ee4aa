/** The command line from its words to its exit code, with files that are only in memory. */

import { readFileSync } from "node:fs";
import Ajv from "ajv";
import { beforeEach, describe, expect, test } from "vitest";
import { findGuest } from "../../../core/guests/index.ts";
import type { RunReport } from "../../../core/lab/report.ts";
import { main } from "../../../electron/cli/cli.ts";
import type { CliIo } from "../../../electron/cli/io.ts";
import { floppyWriter, tellingKernel, writerRom } from "../images/pc-programs.ts";

const schema: unknown = JSON.parse(readFileSync("docs/run-report.schema.json", "utf8"));
const validate = new Ajv({ strict: false }).compile(schema as object);

let out = "";
let err: string[] = [];
let files = new Map<string, Uint8Array>();
let holes = new Map<string, { size: number; chunks: { offset: number; bytes: Uint8Array }[] }>();
const io: CliIo = {
  out: (bytes) => {
    out += String.fromCharCode(...bytes);
  },
  err: (line) => err.push(line),
  readFile: (path) => {
    const bytes = files.get(path);
    if (bytes === undefined) throw new Error(`${path} cannot be read: there is no such file or folder`);
    return bytes;
  },
  writeFile: (path, bytes) => void files.set(path, bytes),
  makeFolder: () => {},
  writeSparse: (path, size, chunks) => void holes.set(path, { size, chunks: [...chunks] }),
};
beforeEach(() => {
  out = "";
  err = [];
  files = new Map();
  holes = new Map();
});

const quadrant = (words: string) => main(words.split(" "), io);
const report = (path: string) => {
  const value: unknown = JSON.parse(new TextDecoder().decode(files.get(path)));
  expect(validate(value), JSON.stringify(validate.errors)).toBe(true);
  return value as RunReport;
};

describe("run", () => {
  test("the built-in guests print the same under none and B, in the same number of instructions", async () => {
    const runs: { text: string; report: RunReport }[] = [];
    for (const policy of ["none", "B"]) {
      out = "";
      expect(await quadrant(`run quadrant --policy ${policy} --serial - --json r.json`)).toBe(0);
      runs.push({ text: out, report: report("r.json") });
    }
    expect(runs[0]!.text).toContain("end: 0 wrong");
    expect(runs[1]!.text).toBe(runs[0]!.text);
    expect(runs[1]!.report.serial).toBe(runs[0]!.report.serial);
    expect(runs[1]!.report.instructions).toBe(runs[0]!.report.instructions);
    expect(runs[0]!.report.counters.exits).toBe(0);
    expect(runs[1]!.report.counters.quadrant_skipped).toBeGreaterThan(0);
    expect(runs[1]!.report.audit.violations).toEqual([]);
    expect(err.at(-1)).toMatch(/^quadrant: stopped at 0x[0-9a-f]+: hlt .* under B$/);
  });

  test("policy D violates an invariant: exit code 1, and it is named", async () => {
    expect(await quadrant("run quadrant --policy D --json r.json")).toBe(1);
    expect(report("r.json").audit.violations.some((v) => v.invariant === "I9")).toBe(true);
    expect(err.some((line) => line.includes("I9: spte"))).toBe(true);
  });

  test("the trace is written as text in the formats asked for", async () => {
    expect(
      await quadrant(
        "run quadrant --policy E2 --max-instructions 60000 --trace-export 2.6.32=old,modern=new",
      ),
    ).toBe(0);
    const lines = (path: string) => new TextDecoder().decode(files.get(path)).split("\n");
    expect(lines("old")[0]).toBe("# tracer: nop");
    const found = lines("old").find((line) => line.includes("kvm_mmu_get_page"));
    expect(found).toMatch(/^ {8}quadrant-1 {5}\[000\] .*: kvm_mmu_get_page: sp gfn 0 2\/0 q0 direct wux /);
    expect(lines("new").some((line) => / kvm_mmu_get_page: sp gen 0 gfn \w+ l2 4-byte q0 /.test(line))).toBe(
      true,
    );
    expect(lines("old").join("")).not.toContain("lost");
  });

  test("a budget, hazards and tlb are in the report", async () => {
    const words =
      "run quadrant --max-instructions 1000 --hazards as-it-was,bad-page=guarded --tlb svm --json r.json";
    expect(await quadrant(`${words} --audit off`)).toBe(0);
    const r = report("r.json");
    expect(r).toMatchObject({ stop: { reason: "max-instructions" }, instructions: 1000, tlb: "svm" });
    expect(r.hazards["bad-page"]).toBe("guarded");
    expect(r.hazards["upper-nx"]).toBe("as-it-was");
    expect(r.audit.checked).toEqual([]);
  });

  test("the dump has byte i at offset i and holes where nothing is", async () => {
    const words = "run pae-kernel --memory 16M --memory-high 16M --memory-dump m.bin --json r.json";
    expect(await quadrant(words), err.join()).toBe(0);
    const dump = holes.get("m.bin")!;
    expect(dump.size).toBe(2 ** 32 + (16 << 20));
    const { machine } = report("r.json");
    expect(machine.memory).toBe(32 << 20);
    expect(machine.slots.map((s) => [s.gfn, s.pages])).toEqual([
      [0, 4096],
      [0x100000, 4096],
    ]);
    const text = dump.chunks.find((c) => c.offset === 0x100000)!;
    const image = findGuest("pae-kernel")!.bytes;
    const at = image.findIndex(
      (_, i) => i % 4 === 0 && image[i] === 0x02 && image[i + 1] === 0xb0 && image[i + 2] === 0xad,
    );
    expect(text.bytes.subarray(0, 4)).toEqual(image.subarray(at, at + 4)); // the multiboot header's magic
    expect(dump.chunks.every((c) => c.bytes.some((b) => b !== 0))).toBe(true);
    expect(dump.chunks.some((c) => c.offset >= 2 ** 32)).toBe(true);
  });

  test("a flat file: the state of the issue, serial to a file, unimplemented and its switch", async () => {
    // mov dx,0x3f8; mov al,'A'; out dx,al; hlt
    files.set("a.bin", Uint8Array.of(0x66, 0xba, 0xf8, 0x03, 0xb0, 0x41, 0xee, 0xf4));
    expect(await quadrant("run a.bin --kind flat --address 0x200000 --serial s.txt --json r.json")).toBe(0);
    expect([...files.get("s.txt")!]).toEqual([0x41]);
    expect(report("r.json")).toMatchObject({
      cpu: { eip: 0x200008, esp: 0x7c00, ebx: 0, eflags: 2, cs: 8, ds: 16, cpl: 0, cr3: 0 },
      serial: "A",
    });
    files.set("f.bin", Uint8Array.of(0x0f, 0x37));
    expect(await quadrant("run f.bin --kind flat --json r.json")).toBe(0);
    expect(report("r.json").stop).toMatchObject({ reason: "unimplemented", eip: 0x100000 });
    expect(await quadrant("run f.bin --kind flat --unimplemented ud --json r.json")).toBe(0);
    expect(report("r.json").stop.reason).toBe("triple-fault");
  });
});

describe("run on a pc", () => {
  test("a Linux kernel finds its selectors, its command line and its initrd, under none and B", async () => {
    files.set("bzImage", tellingKernel());
    files.set("initrd", Uint8Array.of(0x21, 0, 0));
    for (const policy of ["none", "B"]) {
      out = "";
      const words = `run bzImage --initrd initrd --append hi --serial - --policy ${policy} --json r.json`;
      expect(await quadrant(words), err.join()).toBe(0);
      expect(out).toBe("\x10\x18hi!");
      expect(report("r.json")).toMatchObject({
        image: { kind: "linux" },
        machine: { kind: "pc", memory: 256 << 20 },
        stop: { reason: "hlt" },
      });
    }
  });

  test("a disk is never changed; --save-disk writes what the guest left", async () => {
    const disk = new Uint8Array(200 * 512 - 12);
    disk.fill(7, 512, 1024);
    disk.fill(9, 150 * 512);
    const before = disk.slice();
    files.set("disk.img", disk);
    files.set("writer.rom", writerRom());
    const words = "run disk.img --kind disk --rom writer.rom --serial - --save-disk after.img --policy none";
    expect(await quadrant(words), err.join()).toBe(0);
    expect(out).toBe("A");
    expect(disk).toEqual(before);
    const saved = holes.get("after.img")!;
    expect(saved.size).toBe(200 * 512);
    const whole = new Uint8Array(saved.size);
    for (const { offset, bytes } of saved.chunks) whole.set(bytes, offset);
    const wanted = new Uint8Array(saved.size);
    wanted.set(before);
    wanted.fill(0x42, 0, 512);
    expect(whole).toEqual(wanted);
  });

  test("a floppy is never changed; --save-floppy writes what the guest left, a whole floppy", async () => {
    const boot = floppyWriter();
    files.set("boot.img", boot);
    expect(await quadrant("run boot.img --save-floppy after.img --policy none"), err.join()).toBe(0);
    expect(boot).toEqual(floppyWriter());
    const saved = holes.get("after.img")!;
    expect(saved.size).toBe(1440 << 10);
    const whole = new Uint8Array(saved.size);
    for (const { offset, bytes } of saved.chunks) whole.set(bytes, offset);
    const wanted = new Uint8Array(saved.size);
    wanted.set(boot);
    wanted.fill(0x77, 5 * 512, 6 * 512);
    expect(whole).toEqual(wanted);
  });
});

describe("refusals: exit code 2 and one sentence", () => {
  test.each([
    ["run nothing.bin", /nothing.bin cannot be read: .* built-in guests are quadrant/],
    ["run quadrant --policy Z", /no policy "Z"; there are none, A0, A, P, B, C, D, E1, E2, E3, F/],
    ["run quadrant --hazards bogus=guarded", /no hazard "bogus"/],
    ["run quadrant --trace-export 2.4=x", /FORMAT one of 2.6.32, 3.1 or modern/],
    ["run quadrant --memory 3M", /memory must be at least 4 MiB/],
    ["run quadrant --memory 3G", /memory must be at most 2032 MiB/],
    ["run quadrant --memory 2000M --memory-high 2000M", /together at most 2032 MiB/],
    ["run quadrant --memory 5000001", /multiple of 4096/],
    ["run --policy B", /which image/],
    ["run quadrant --disk none.img", /none.img cannot be read/],
    ["run quadrant --initrd none", /none cannot be read/],
    ["run quadrant --save-disk x", /--save-disk is given once, and the machine has no disk/],
    ["run quadrant --save-floppy x", /--save-floppy is given, and the machine has no floppy/],
    ["frobnicate", /no command "frobnicate"; see quadrant --help$/],
    ["rum quadrant", /no command "rum"; did you mean run\? See quadrant --help$/],
  ])("%s", async (words, sentence) => {
    expect(await quadrant(words)).toBe(2);
    expect(err.length).toBe(1);
    expect(err[0]).toMatch(sentence);
  });

  test("a damaged image", async () => {
    files.set("x.elf", Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 1));
    expect(await quadrant("run x.elf")).toBe(2);
    expect(err.length).toBe(1);
  });
});

test("list, help and version print to standard output", async () => {
  expect(await quadrant("list")).toBe(0);
  for (const name of ["quadrant", "nonpae-kernel", "pae-kernel", "none", "reserved-bits"])
    expect(out).toContain(name);
  expect(await quadrant("--help")).toBe(0);
  expect(out).toContain("--max-instructions N");
  out = "";
  expect(await quadrant("--version")).toBe(0);
  expect(out).toMatch(/^quadrant \d+\.\d+\.\d+\n$/);
});

describe("experiment", () => {
  test("lists what there is, without a name", async () => {
    expect(await quadrant("experiment")).toBe(0);
    expect(out).toContain("nanobench");
    expect(out).toContain("Pentium 4 672");
  });

  test("writes a table, the whole result and pictures, with a processor of the user's own", async () => {
    const cycles = {
      instruction: 1,
      exception: 100,
      vm_exit: 10,
      vm_entry: 20,
      vmcs_read: 0,
      vmcs_write: null,
    };
    files.set("mine.json", new TextEncoder().encode(JSON.stringify({ id: "mine", title: "Mine", cycles })));
    expect(await quadrant("experiment quadrant --out there --costs mine.json")).toBe(0);
    expect([...files.keys()].sort()).toEqual([
      "mine.json",
      "there/quadrant-refills.svg",
      "there/quadrant.csv",
      "there/quadrant.json",
    ]);
    const text = (name: string) => new TextDecoder().decode(files.get(name));
    expect(text("there/quadrant-refills.svg")).toMatch(/^<svg .*Refills, P.*<\/svg>/s);
    const whole = JSON.parse(text("there/quadrant.json")) as { rows: Record<string, unknown>[] };
    expect(whole.rows[0]!.exits_B).toBeGreaterThan(0);
    expect(whole.rows[0]!.cycles_B_mine).toBeNull();
    expect(text("there/quadrant.csv").split("\r\n").length).toBe(whole.rows.length + 2);
    expect(out).toContain("Refills more under P");
  }, 180_000);

  test.each([
    ["experiment nothing", /there is no experiment "nothing"; there are nanobench, quadrant/],
    ["experiment quadrant --oot x", /no option --oot; it takes --out and --costs/],
    ["experiment quadrant --out", /--out needs a value/],
    ["experiment quadrant nanobench", /one experiment at a time/],
    ["experiment quadrant --costs none.json", /none.json cannot be read/],
    ["experiment quadrant --costs bad.json", /bad.json is not JSON/],
    ["experiment quadrant --costs short.json", /short.json: cycles/],
  ])("refuses %s", async (words, sentence) => {
    files.set("bad.json", new TextEncoder().encode("{"));
    files.set("short.json", new TextEncoder().encode('{"id":"a","title":"b","cycles":{"instruction":1}}'));
    expect(await quadrant(words)).toBe(2);
    expect(err.join("\n")).toMatch(sentence);
  });
});
