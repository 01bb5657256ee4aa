/** The command line's words: what they mean, and the sentence for what they cannot mean. */
import { describe, expect, test } from "vitest";
import { parseArguments, parseNumber, parseSize } from "../../../electron/cli/arguments.ts";

const run = (...words: string[]) => {
  const parsed = parseArguments(["run", ...words]);
  if (!parsed.ok || parsed.arguments.command !== "run")
    throw new Error(parsed.ok ? "not a run" : parsed.error);
  return parsed.arguments;
};
const refusal = (...words: string[]) => {
  const parsed = parseArguments(words);
  return parsed.ok ? "" : parsed.error;
};

describe("sizes and numbers", () => {
  test.each([
    ["4M", 4 << 20],
    ["1G", 1 << 30],
    ["64MiB", 64 << 20],
    ["64mb", 64 << 20],
    ["8192K", 8 << 20],
    ["65536", 65536],
    ["0x10000", 65536],
    ["0", 0],
  ])("%s is %i bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });
  test.each(["", "M", "4X", "-4M", "1.5G", "4 M M", "99999999999999999G"])("%s is no size", (text) => {
    expect(parseSize(text)).toBeNull();
  });
  test.each([
    ["1_000_000", 1e6],
    ["0xffff_ffff", 0xffff_ffff],
  ])("%s is %i", (text, value) => {
    expect(parseNumber(text)).toBe(value);
  });
  test.each(["_1", "1e6", "0x", "ten"])("%s is no number", (text) => {
    expect(parseNumber(text)).toBeNull();
  });
});

describe("run", () => {
  test("an image alone has the defaults", () => {
    expect(run("kernel.bin")).toMatchObject({
      image: "kernel.bin",
      kind: "auto",
      machine: null,
      disks: [],
      floppy: null,
      rom: null,
      initrd: null,
      modules: [],
      append: "",
      saveDisks: [],
      saveFloppy: null,
      policy: "B",
      allHazards: "guarded",
      hazards: {},
      tlb: "vmx",
      memory: null,
      memoryHigh: null,
      maxInstructions: Number.MAX_SAFE_INTEGER,
      audit: "end",
    });
  });

  test("every option of the manual", () => {
    expect(
      run(
        ..."k.elf --kind elf --policy C --hazards as-it-was,2.9=guarded --tlb svm --memory 1G --memory-high 16M".split(
          " ",
        ),
        ..."--max-instructions 1_000_000 --serial - --json r.json --memory-dump m.bin --audit every".split(
          " ",
        ),
        ..."--address=0x200000 --unimplemented ud --nested-levels 3 --walk-cache 16".split(" "),
        ..."--triple-fault reset".split(" "),
      ),
    ).toEqual({
      command: "run",
      image: "k.elf",
      kind: "elf",
      machine: null,
      address: 0x200000,
      disks: [],
      floppy: null,
      rom: null,
      initrd: null,
      modules: [],
      append: "",
      saveDisks: [],
      saveFloppy: null,
      policy: "C",
      allHazards: "as-it-was",
      hazards: { "2.9": "guarded" },
      tlb: "svm",
      memory: 1 << 30,
      memoryHigh: 16 << 20,
      maxInstructions: 1_000_000,
      serial: "-",
      json: "r.json",
      memoryDump: "m.bin",
      traceExports: [],
      audit: "every",
      unimplemented: "ud",
      nestedLevels: 3,
      walkCache: 16,
      tripleFault: "reset",
    });
  });
});

describe("which image on which machine", () => {
  test("every option of the manual", () => {
    const words = [
      ...["bzImage", "--machine", "pc", "--kind", "linux", "--append", "root=/dev/ram0 init=/bin/sh"],
      ...["--disk", "a.img", "--disk=b.img", "--initrd", "i.gz", "--rom", "r.bin", "--floppy", "f.img"],
      ...["--module", "m", "--module", "n,text, with a comma", "--save-disk", "x", "--save-disk", "y"],
      ...["--save-floppy", "z"],
    ];
    expect(run(...words)).toMatchObject({
      image: "bzImage",
      kind: "linux",
      machine: "pc",
      append: "root=/dev/ram0 init=/bin/sh",
      disks: ["a.img", "b.img"],
      initrd: "i.gz",
      rom: "r.bin",
      floppy: "f.img",
      modules: [
        { file: "m", commandLine: "" },
        { file: "n", commandLine: "text, with a comma" },
      ],
      saveDisks: ["x", "y"],
      saveFloppy: "z",
    });
  });

  test("an empty command line is one", () => {
    expect(run("a", "--append", "").append).toBe("");
    expect(run("a", "--append=quiet").append).toBe("quiet");
  });
});

describe("refusals say what would be right", () => {
  test.each([
    [[], /quadrant run IMAGE/],
    [["rn", "x"], /did you mean run\?/],
    [["run"], /which image/],
    [["run", "a", "b"], /one image at a time: "a" and then "b"/],
    [["run", "a", "--polcy", "B"], /no option --polcy; did you mean --policy\?/],
    [["run", "a", "--policy"], /--policy needs a value/],
    [["run", "a", "--audit", "always"], /every, full, end or off, not "always"/],
    [["run", "a", "--tlb", "x"], /vmx or svm/],
    [["run", "a", "--nested-levels", "5"], /3 or 4, not "5"/],
    [["run", "a", "--walk-cache", "65"], /from 0 to 64, not "65"/],
    [["run", "a", "--memory", "much"], /a size such as 64M/],
    [["run", "a", "--max-instructions", "1e6"], /whole number/],
    [["run", "a", "--address", "0x100000000"], /32-bit address/],
    [["run", "a", "--hazards", "2.9=maybe"], /NAME=guarded/],
    [["run", "a", "--audit", "off", "--audit", "end"], /--audit is given twice/],
    [["run", "a", "--serial", "-", "--json", "-"], /only one/],
    [["run", "a", "--memory-dump", "-"], /takes a file/],
    [["run", "a", "--save-disk", "-"], /--save-disk takes a file/],
    [["run", "a", "--save-floppy", "-"], /--save-floppy takes a file/],
    [["run", "a", "--save-floppy", "b", "--save-floppy", "c"], /--save-floppy is given twice/],
    [["run", "a", "--machine", "at"], /--machine takes bare or pc, not "at"/],
    [["run", "a", "--kind", "iso"], /linux, boot-sector, disk or rom, not "iso"/],
    [["run", "a", "--module", ",text"], /FILE or FILE,TEXT/],
    [["run", "a", "--initrd", "b", "--initrd", "c"], /--initrd is given twice/],
    [["run", "a", "--disk"], /--disk needs a value/],
    [["run", "a", "--append"], /--append needs a value/],
    [["list", "guests"], /list takes nothing/],
  ])("%j", (words, sentence) => {
    expect(refusal(...words)).toMatch(sentence);
  });
});

test.each([
  [["--help"], "help"],
  [["run", "x", "--help"], "help"],
  [["--version"], "version"],
  [["list"], "list"],
])("%j is %s", (words, command) => {
  const parsed = parseArguments(words);
  expect(parsed.ok && parsed.arguments.command).toBe(command);
});
