/**
 * Images through the lab: which machine and how much memory they get, what goes along with them, how files that are
 * only numbers are filled in, and what a saved machine keeps of them.
 */
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { Lab } from "../../../core/lab/index.ts";
import {
  type ClientMessage,
  type Command,
  fillFiles,
  namesFiles,
  parseClientMessage,
} from "../../../core/lab/protocol/index.ts";
import { fromSparse, toSparse } from "../../../core/lab/sparse.ts";
import { CodecError } from "../../../core/machine/codec.ts";
import { multibootHeader } from "../images/make-elf.ts";
import { writerRom } from "../images/pc-programs.ts";

const MIB = 1 << 20;
const HALT = Uint8Array.of(0xfa, 0xf4);

function kernel(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(64);
  bytes.set(multibootHeader(1 << 16, [0x100000, 0x100000, 0, 0, 0x100020]));
  bytes.set(HALT, 32);
  return bytes;
}

let lab: Lab;
beforeEach(() => {
  lab = new Lab({ traceCapacity: 1 << 10 });
});
const open = (what: Partial<Extract<Command, { name: "openImage" }>>) =>
  lab.command({ name: "openImage", title: "x", bytes: kernel(), kind: "auto", ...what });
const word = (gpa: number): number => {
  const { memory, slots } = lab.machine;
  return memory.u32[(slots.hfnOf(gpa >>> 12) * 4096 + (gpa & 0xfff)) >>> 2]!;
};

describe("an opened image", () => {
  test("gets the machine and the memory of its kind, whatever ran before", () => {
    lab.command({ name: "loadGuest", guest: "quadrant", config: { memory: 8 * MIB, memoryHigh: 4 * MIB } });
    open({});
    expect(lab.machine.setup).toMatchObject({ machine: "bare", memory: 64 * MIB, memoryHigh: 0 });
    open({ config: { memory: 16 * MIB, machine: "bare" } });
    expect(lab.machine.setup).toMatchObject({ machine: "bare", memory: 16 * MIB });
  });

  test("comes with its command line and modules, also after a reset and in a saved machine", () => {
    const modules = [{ bytes: Uint8Array.of(1, 2, 3, 4), commandLine: "m" }];
    open({ media: { commandLine: "a b", modules } });
    const modulesAt = () => word(word(lab.machine.cpu.regs[3]! + 24));
    expect(word(modulesAt())).toBe(0x04030201);
    lab.command({ name: "reset" });
    expect(word(modulesAt())).toBe(0x04030201);
    const saved = new Uint8Array(lab.command({ name: "saveMachine" }) as Uint8Array);
    lab.command({ name: "loadGuest", guest: "quadrant" });
    lab.command({ name: "openMachine", bytes: saved });
    expect(lab.source.media).toMatchObject({ commandLine: "a b", modules, disks: [] });
    lab.command({ name: "reset" });
    expect(word(modulesAt())).toBe(0x04030201);
  });

  test("keeps its drives in a saved machine, the image once and the guest's sectors over it", () => {
    const disk = new Uint8Array(3 * MIB).fill(5);
    open({ bytes: disk, kind: "disk", media: { rom: writerRom() }, config: { memory: 4 * MIB } });
    lab.command({ name: "run" });
    for (let i = 0; i < 100 && lab.running; i++) lab.slice(100_000);
    expect(lab.machine.pc?.board.disks[0]?.written).toBe(1);
    const saved = new Uint8Array(lab.command({ name: "saveMachine" }) as Uint8Array);
    expect(saved.length).toBeGreaterThan(3 * MIB);
    expect(saved.length).toBeLessThan(6 * MIB);
    lab.command({ name: "loadGuest", guest: "quadrant" });
    lab.command({ name: "openMachine", bytes: saved });
    const sectors = new Uint8Array(1024);
    const again = lab.machine.pc?.board.disks[0];
    again?.read(0, sectors, 0);
    again?.read(1, sectors, 512);
    expect([sectors[0], sectors[511], sectors[512]]).toEqual([0x42, 0x42, 5]);
    lab.command({ name: "reset" });
    expect(lab.machine.pc?.board.disks[0]?.written).toBe(0);
  });

  test("is named in the report, with its machine", () => {
    open({});
    expect(lab.command({ name: "report" })).toMatchObject({
      image: { kind: "multiboot" },
      machine: { kind: "bare" },
    });
  });

  test.each([
    [{ media: { disks: [HALT] } }, /the machine bare has no place for it; choose the machine pc/],
    [{ kind: "flat", media: { initrd: HALT } }, /a flat image takes none/],
    [{ bytes: { file: 3 } }, /file 3 is not open any more/],
    [{ bytes: new Uint8Array(0) }, /empty/],
  ] as const)("is refused with %j, and what ran goes on", (what, sentence) => {
    const before = lab.machine;
    expect(() => open(what as Parameters<typeof open>[0])).toThrow(sentence);
    expect(lab.machine).toBe(before);
  });
});

describe("files by their numbers", () => {
  const message = (media: unknown, bytes: unknown = { file: 1 }): ClientMessage => {
    const command = { name: "openImage", title: "x", bytes, kind: "auto", media };
    const parsed = parseClientMessage({ type: "command", id: 1, command });
    if (!parsed.ok) throw new Error(parsed.error);
    return parsed.message;
  };

  test("are found wherever they can stand, and filled in there", async () => {
    const ref = { file: 7 };
    for (const media of [
      { initrd: ref },
      { disks: [HALT, ref] },
      { floppy: ref },
      { rom: ref },
      { modules: [{ bytes: ref, commandLine: "t" }] },
    ]) {
      const asked: number[] = [];
      const one = message(media, HALT);
      expect(namesFiles(one)).toBe(true);
      const filled = await fillFiles(one, (file) => {
        asked.push(file);
        return Promise.resolve(Uint8Array.of(file));
      });
      expect(asked).toEqual([7]);
      expect(namesFiles(filled.message)).toBe(false);
      expect(filled.transfer.length).toBe(1);
      expect(JSON.stringify(filled.message)).toContain(JSON.stringify(Uint8Array.of(7)));
    }
    expect(namesFiles(message(undefined, HALT))).toBe(false);
    expect(namesFiles(message({ disks: [HALT] }, HALT))).toBe(false);
    expect(namesFiles({ type: "hello" })).toBe(false);
  });

  test("that cannot be read stop the message", async () => {
    const failing = fillFiles(message({}), () => Promise.reject(new Error("it is gone")));
    await expect(failing).rejects.toThrow("it is gone");
  });

  test.each([
    [{ disks: [HALT, HALT, HALT] }, /at most 2 disks/],
    [{ initrd: "file" }, /expected a file/],
    [{ initrd: { file: 0 } }, /file/],
    [{ floppy: { path: "/etc/passwd" } }, /./],
    [{ commandLine: "x".repeat(4097) }, /at most 4096 characters/],
    [{ modules: Array(65).fill({ bytes: HALT, commandLine: "" }) }, /at most 64 modules/],
    [{ cdrom: HALT }, /cdrom/],
  ])("media of a wrong shape are refused: %j", (media, sentence) => {
    expect(() => message(media)).toThrow(sentence);
  });
});

describe("files in a saved machine", () => {
  test("come back byte for byte, and their empty pages cost nothing", () => {
    fc.assert(
      fc.property(fc.nat(40_000), fc.array(fc.tuple(fc.nat(40_000), fc.nat(255))), (length, marks) => {
        const bytes = new Uint8Array(length);
        for (const [at, value] of marks) if (at < length) bytes[at] = value;
        const sparse = toSparse(bytes);
        expect(fromSparse(sparse, length)).toEqual(bytes);
        const { pages } = sparse as { pages: Uint8Array };
        expect(pages.length).toBeLessThanOrEqual(marks.length * 4096);
      }),
      { numRuns: 100 },
    );
  });

  test("that do not fit together are refused", () => {
    const good = { length: 5000, numbers: Uint32Array.of(0), pages: new Uint8Array(4096) };
    expect(fromSparse(good, 5000).length).toBe(5000);
    for (const bad of [
      { ...good, length: 1e12 },
      { ...good, length: -1 },
      { ...good, numbers: Uint32Array.of(2) },
      { ...good, numbers: Uint32Array.of(0, 1) },
      { ...good, pages: "x" },
      {},
    ])
      expect(() => fromSparse(bad, 2 ** 31)).toThrow(CodecError);
  });
});
