/**
 * Images of the PC: Linux kernels by the 32-bit boot protocol, boot sectors, disks and ROMs, what goes along with them,
 * multiboot's modules and its map with the hole; and the sentences for wrong ones.
 */
import { describe, expect, it } from "vitest";
import { GUESTS } from "../../../core/guests/index.ts";
import {
  type ImageOptions,
  kindOf,
  type LoadedImage,
  machineFor,
  openImage,
} from "../../../core/images/index.ts";
import { makeElf, multibootHeader } from "./make-elf.ts";
import { makeLinux } from "./make-linux.ts";

const MIB = 1 << 20;
const PC: ImageOptions = { memory: 16 * MIB, memoryHigh: 0, machine: "pc" };
const BARE: ImageOptions = { memory: 16 * MIB, memoryHigh: 0 };

function opened(bytes: Uint8Array, kind: string, options: ImageOptions = PC): LoadedImage {
  const result = openImage(bytes, kind, options);
  if (!result.ok) throw new Error(result.error);
  return result.image;
}

function refused(bytes: Uint8Array, kind: string, options: ImageOptions = PC): string {
  const result = openImage(bytes, kind, options);
  if (result.ok) throw new Error("it was not refused");
  return result.error;
}

function stored(image: LoadedImage): (at: number) => number {
  const bytes = new Uint8Array(16 * MIB).fill(0xee);
  for (const { gpa, length } of image.zeros) bytes.fill(0, gpa, gpa + length);
  for (const write of image.writes) bytes.set(write.bytes, write.gpa);
  const view = new DataView(bytes.buffer);
  return (at) => view.getUint32(at, true);
}

const textAt = (word: (at: number) => number, at: number): string => {
  let text = "";
  for (let i = at; (word(i) & 0xff) !== 0; i++) text += String.fromCharCode(word(i) & 0xff);
  return text;
};

const code = Uint8Array.from({ length: 100 }, (_, i) => 0x40 + (i & 7));
const signed = (size: number) => {
  const bytes = new Uint8Array(size);
  bytes.set([0xfa, 0xf4]);
  bytes.set([0x55, 0xaa], 510);
  return bytes;
};
const rom = (size: number, at: readonly number[] = [0xea, 0x5b, 0xe0, 0x00, 0xf0]) => {
  const bytes = new Uint8Array(size).fill(0x90);
  bytes.set(at, size - 16);
  return bytes;
};

describe("Linux kernels", () => {
  const kernel = makeLinux(code);

  it("start as the 32-bit boot protocol says: code at 1 MiB, ESI at the boot parameters, selectors 0x10 and 0x18", () => {
    const image = opened(kernel, "linux");
    expect(image).toMatchObject({ kind: "linux", entry: 0x100000, machine: "pc" });
    expect(image.start ?? "protected").toBe("protected");
    expect(image.regs).toMatchObject({ ebp: 0, edi: 0, ebx: 0 });
    expect(image.gdt).toMatchObject({ code: 0x10, data: 0x18, limit: 31 });
    const word = stored(image);
    expect([word(image.gdt.base + 16), word(image.gdt.base + 20)]).toEqual([0xffff, 0x00cf9b00]);
    expect([word(image.gdt.base + 24), word(image.gdt.base + 28)]).toEqual([0xffff, 0x00cf9300]);
    expect(word(0x100000)).toBe(0x43424140);
    expect(word(0x100000 + code.length)).toBe(0xeeeeeeee);
  });

  it("have their boot parameters: header, loader, map with the hole, screen, command line", () => {
    const options = { ...PC, memoryHigh: 4 * MIB, commandLine: "console=ttyS0 \u20ac" };
    const image = opened(kernel, "linux", options);
    const word = stored(image);
    const { esi } = image.regs;
    const byte = (at: number) => word(esi + at) & 0xff;
    expect(word(esi + 0x202)).toBe(0x53726448);
    expect(byte(0x210)).toBe(0xff);
    expect(byte(0x211)).toBe(1);
    expect(byte(0x1ef)).toBe(0); // the sentinel
    expect([byte(0x06), byte(0x07), byte(0x0e), byte(0x0f)]).toEqual([3, 80, 25, 1]);
    expect(textAt(word, word(esi + 0x228))).toBe("console=ttyS0 ?");
    expect([word(esi + 0x218), word(esi + 0x21c)]).toEqual([0, 0]);
    const map = Array.from({ length: byte(0x1e8) }, (_, i) =>
      [0, 4, 8, 12, 16].map((o) => word(esi + 0x2d0 + i * 20 + o)),
    );
    expect(map).toEqual([
      [0, 0, 0x9fc00, 0, 1],
      [0x9fc00, 0, 0x400, 0, 2],
      [0xf0000, 0, 0x10000, 0, 2],
      [0x100000, 0, 15 * MIB, 0, 1],
      [0xfec00000, 0, 0x1000, 0, 2],
      [0xfee00000, 0, 0x1000, 0, 2],
      [0xfffc0000, 0, 0x40000, 0, 2],
      [0, 1, 4 * MIB, 0, 1],
    ]);
  });

  it("have their initrd as high as memory and initrd_addr_max allow, on a page", () => {
    const initrd = new Uint8Array(5000).fill(0xab);
    const place = (bytes: Uint8Array) => {
      const image = opened(bytes, "linux", { ...PC, initrd });
      const word = stored(image);
      expect(word(image.regs.esi + 0x21c)).toBe(5000);
      const at = word(image.regs.esi + 0x218);
      expect(word(at)).toBe(0xabababab);
      return at;
    };
    expect(place(kernel)).toBe(16 * MIB - 0x2000);
    expect(place(makeLinux(code, { initrdMax: 0x9fffff }))).toBe(0xa00000 - 0x2000);
    expect(place(makeLinux(code, { version: 0x202, reach: 0x2a }))).toBe(16 * MIB - 0x2000);
    expect(
      refused(makeLinux(code, { initrdMax: 0x7fffff }), "linux", { ...PC, initrd: new Uint8Array(2 * MIB) }),
    ).toMatch(/does not fit between the kernel's end 0x700000 and 0x800000 \(initrd_addr_max/);
    expect(refused(kernel, "linux", { ...PC, initrd: new Uint8Array(15 * MIB) })).toMatch(
      /the memory's end\); give the machine more memory/,
    );
  });

  it("without setup sectors has four; bytes behind syssize are not loaded", () => {
    const image = opened(makeLinux(code, { setupSectors: 0 }), "linux");
    expect(stored(image)(0x100000)).toBe(0x43424140);
    const longer = new Uint8Array([...kernel, ...new Uint8Array(1000).fill(1)]);
    const loaded = opened(longer, "linux").writes.find(({ gpa }) => gpa === 0x100000)!;
    expect(loaded.bytes.length).toBe(112);
  });

  it.each([
    ["a cut signature", kernel.slice(0, 0x204), /before the signature HdrS/],
    ["no signature", new Uint8Array(4096), /they should be 0xaa55 and 0x53726448/],
    ["a cut header", kernel.slice(0, 0x220), /inside its setup header/],
    ["a header that is too long", makeLinux(code, { reach: 0xff }), /end at 0x301 .* up to 0x290/],
    [
      "a header shorter than its version",
      makeLinux(code, { reach: 0x30 }),
      /before fields of the protocol 2\.15/,
    ],
    ["an old protocol", makeLinux(code, { version: 0x201 }), /is 2\.01, it should be at least 2\.02/],
    ["a zImage", makeLinux(code, { loadflags: 0 }), /zImage/],
    ["64 bits", makeLinux(code, { xloadflags: 3 }), /x86-64 kernel/],
    ["no code", kernel.slice(0, 2048), /real-mode part takes 0x800 bytes/],
    ["a cut code", kernel.slice(0, 2100), /should have 112 bytes .* there are 52/],
    ["a lying size", makeLinux(code, { syssize: 0xffffffff }), /syssize at 0x1f4/],
    ["no size", makeLinux(code, { syssize: 0 }), /syssize at 0x1f4/],
    ["an entry before", makeLinux(code, { entry: 0xfffff }), /code32_start at 0x214\) is 0xfffff/],
    ["an entry behind", makeLinux(code, { entry: 0x100064 }), /outside the loaded bytes/],
    ["an alignment that is none", makeLinux(code, { alignment: 3 }), /kernel_alignment at 0x230 is 0x3/],
    ["no alignment", makeLinux(code, { alignment: 0 }), /power of two/],
    ["a lying init_size", makeLinux(code, { initSize: 0xffffffff }), /needs memory up to/],
    ["a lying pref_address", makeLinux(code, { preferred: 0xfffff000 }), /needs memory up to/],
    ["too much wish for memory", makeLinux(code, { initSize: 13 * MIB }), /up to 0x1100000 .* more memory/],
  ])("are refused with %s", (_what, bytes, sentence) => {
    expect(refused(bytes, "linux")).toMatch(sentence);
  });

  it("are refused a command line that is longer than they take", () => {
    const long = (n: number) => ({ ...PC, commandLine: "x".repeat(n) });
    expect(refused(kernel, "linux", long(2048))).toMatch(/2048 characters; this kernel takes at most 2047/);
    expect(opened(kernel, "linux", long(2047)).kind).toBe("linux");
    const old = makeLinux(code, { version: 0x205 });
    expect(refused(old, "linux", long(256))).toMatch(/at most 255/);
    const lying = makeLinux(code, { commandLineMost: 0xffffffff });
    expect(refused(lying, "linux", long(0xd000))).toMatch(/takes at most 53247/);
  });
});

describe("boot sectors, disks and ROMs", () => {
  it("start at reset, and nothing is stored", () => {
    for (const [bytes, kind] of [
      [signed(512), "boot-sector"],
      [signed(10_000 * 512), "disk"],
      [rom(0x10000), "rom"],
    ] as const) {
      const image = opened(bytes, "auto");
      expect(image).toMatchObject({ kind, start: "reset", machine: "pc", writes: [], zeros: [] });
    }
  });

  it("a boot sector alone is on an empty floppy; a floppy's image is that floppy", () => {
    const { floppy } = opened(signed(512), "boot-sector");
    expect(floppy?.length).toBe(1440 * 1024);
    expect([...floppy!.subarray(510, 514)]).toEqual([0x55, 0xaa, 0, 0]);
    const image = signed(720 * 1024);
    expect(opened(image, "boot-sector").floppy).toBe(image);
    expect(opened(signed(1500 * 1024), "boot-sector").floppy?.length).toBe(2880 * 1024);
    expect(refused(signed(3000 * 1024), "boot-sector")).toMatch(/more than a floppy/);
  });

  it("drives come in order: the image, then those beside it", () => {
    const image = signed(1024);
    const second = new Uint8Array(700);
    expect(opened(image, "disk", { ...PC, disks: [second] }).disks).toEqual([image, second]);
    const kernel = makeElf([{ vaddr: 0x100000, bytes: code }], 0x100000);
    const given = { ...PC, disks: [second], floppy: signed(512), rom: rom(0x20000) };
    const opening = opened(kernel, "elf", given);
    expect(opening.disks).toEqual([second]);
    expect(opening.floppy?.length).toBe(1440 * 1024);
    expect(opening.rom).toBe(given.rom);
  });

  it("a ROM of the user's decides itself what it boots", () => {
    const blank = new Uint8Array(1024);
    expect(refused(blank, "disk")).toMatch(/there should be 0xaa55/);
    expect(opened(blank, "disk", { ...PC, rom: rom(0x10000) }).disks).toEqual([blank]);
  });

  it.each([
    ["a short boot sector", signed(512).slice(0, 511), "boot-sector", PC, /less than a sector/],
    ["no signature", new Uint8Array(512), "boot-sector", PC, /at 0x1fe of its first sector is 0x0/],
    ["a qcow2 disk", Uint8Array.of(0x51, 0x46, 0x49, 0xfb, ...signed(600)), "disk", PC, /a qcow2 image/],
    [
      "a gzipped second disk",
      signed(512),
      "disk",
      { ...PC, disks: [Uint8Array.of(0x1f, 0x8b, 8)] },
      /disk 1: the file is compressed \(gzip\)/,
    ],
    ["an empty disk", signed(512), "disk", { ...PC, disks: [new Uint8Array(0)] }, /at least one sector/],
    [
      "three disks",
      signed(512),
      "disk",
      { ...PC, disks: [code, code] },
      /3 disks, the image itself among them/,
    ],
    ["a ROM of a wrong size", rom(0x18000), "rom", PC, /98304 bytes, and a ROM has 65536, 131072, 262144/],
    ["a ROM without a jump", rom(0x10000, [0xf4]), "rom", PC, /is the byte 0xf4; there should be a jump/],
    ["a ROM of prefixes", rom(0x10000, new Array(16).fill(0x66)), "rom", PC, /is nothing/],
    ["a bad --rom", signed(512), "disk", { ...PC, rom: code }, /ROM: it has 100 bytes/],
    ["two ROMs", rom(0x10000), "rom", { ...PC, rom: rom(0x10000) }, /another ROM/],
    ["two floppies", signed(512), "boot-sector", { ...PC, floppy: signed(512) }, /another floppy/],
    ["a floppy of 3 MiB", code, "flat", { ...PC, floppy: signed(3 * MIB) }, /largest floppy/],
    ["a boot sector on bare", signed(512), "auto", BARE, /a boot sector starts on the machine pc/],
    ["a disk on bare", code, "flat", { ...BARE, disks: [code] }, /a disk is given, and the machine bare/],
    ["a ROM on bare", code, "flat", { ...BARE, rom: rom(0x10000) }, /a ROM is given, and the machine bare/],
    [
      "an initrd for ELF",
      makeElf([{ vaddr: 0x100000, bytes: code }], 0x100000),
      "elf",
      { ...PC, initrd: code },
      /an ELF image takes none/,
    ],
    [
      "a module for Linux",
      makeLinux(code),
      "linux",
      { ...PC, modules: [{ bytes: code, commandLine: "" }] },
      /a module is given/,
    ],
    [
      "a command line for a disk",
      signed(512),
      "disk",
      { ...PC, commandLine: "a" },
      /a disk image takes none/,
    ],
    [
      "an address for ELF",
      makeElf([{ vaddr: 0x100000, bytes: code }], 0x100000),
      "elf",
      { ...PC, address: 1 },
      /has its own/,
    ],
  ] as const)("are refused: %s", (_what, bytes, kind, options, sentence) => {
    expect(refused(bytes, kind, options)).toMatch(sentence);
  });

  it("a ROM may begin with what clears the way to its jump", () => {
    expect(opened(rom(0x40000, [0xfa, 0x0f, 0x09, 0x66, 0xe9, 0, 0]), "rom").rom?.length).toBe(0x40000);
  });
});

describe("on a pc, memory has its hole", () => {
  it("images are refused there, and welcome on bare", () => {
    const across = { ...PC, address: 0x9fff0 };
    expect(refused(code, "flat", across)).toMatch(/goes to physical 0x9fff0 .* on the machine bare/);
    expect(opened(code, "flat", { ...across, machine: "bare" }).entry).toBe(0x9fff0);
    expect(opened(code, "flat", { ...PC, address: 0xa0000 - code.length }).entry).toBe(0xa0000 - 100);
    const elf = makeElf([{ vaddr: 0xf0000, bytes: code }], 0xf0000);
    expect(refused(elf, "elf")).toMatch(/screen and its ROM/);
  });

  it("a multiboot kernel is told of it, and of the text screen", () => {
    const word = stored(opened(GUESTS[0]!.bytes, "multiboot", { ...PC, memoryHigh: MIB }));
    const image = opened(GUESTS[0]!.bytes, "multiboot", { ...PC, memoryHigh: MIB });
    const info = image.regs.ebx;
    expect(word(info + 4)).toBe(639);
    expect(word(info + 8)).toBe(15 * 1024);
    const types: number[][] = [];
    const start = word(info + 48);
    for (let at = start; at < start + word(info + 44); at += word(at) + 4)
      types.push([word(at + 4), word(at + 12), word(at + 20)]);
    expect(types).toEqual([
      [0, 0x9fc00, 1],
      [0x9fc00, 0x400, 2],
      [0xf0000, 0x10000, 2],
      [0x100000, 15 * MIB, 1],
      [0xfec00000, 0x1000, 2],
      [0xfee00000, 0x1000, 2],
      [0xfffc0000, 0x40000, 2],
      [0, MIB, 1],
    ]);
    expect(word(info) & (1 << 12)).not.toBe(0);
    expect([word(info + 88), word(info + 96), word(info + 100), word(info + 104)]).toEqual([
      0xb8000, 160, 80, 25,
    ]);
    expect(word(info + 108) & 0xffff).toBe(0x0210);
  });

  it("a header that demands text has it, one that demands pixels has not", () => {
    const header = (...mode: number[]) => {
      const body = new Uint8Array(64).fill(0x90);
      body.set(multibootHeader(4 | (1 << 16), [0x100000, 0x100000, 0, 0, 0x100030, ...mode]));
      return body;
    };
    expect(opened(header(1, 80, 25, 0), "multiboot").kind).toBe("multiboot");
    expect(refused(header(0, 1024, 768, 32), "multiboot")).toMatch(/of type 0 .* text alone/);
    expect(refused(header(1, 80, 25, 0), "multiboot", BARE)).toMatch(/bare has no screen/);
    expect(refused(header().slice(0, 34), "multiboot")).toMatch(/cut off/);
  });
});

describe("multiboot modules", () => {
  const modules = [
    { bytes: new Uint8Array(4097).fill(1), commandLine: "first one" },
    { bytes: new Uint8Array(0), commandLine: "" },
    { bytes: new Uint8Array(8).fill(2), commandLine: "last" },
  ];

  it("lie on pages behind the kernel, in order, the initrd first, and are told of", () => {
    const kernel = makeElf([{ vaddr: 0x200000, bytes: withHeader(), memsz: 0x5000 }], 0x200000);
    const options = { ...BARE, initrd: new Uint8Array(3).fill(9), modules };
    const image = opened(kernel, "multiboot", options);
    const word = stored(image);
    const info = image.regs.ebx;
    expect(word(info) & 8).toBe(8);
    expect(word(info + 20)).toBe(4);
    const list = Array.from({ length: 4 }, (_, i) => {
      const at = word(info + 24) + i * 16;
      return [word(at), word(at + 4), textAt(word, word(at + 8)), word(at + 12)];
    });
    expect(list).toEqual([
      [0x205000, 0x205003, "initrd", 0],
      [0x206000, 0x207001, "first one", 0],
      [0x208000, 0x208000, "", 0],
      [0x209000, 0x209008, "last", 0],
    ]);
    expect(word(0x206000)).toBe(0x01010101);
    expect(word(0x209004)).toBe(0x02020202);
  });

  it("are refused where there is no room", () => {
    const kernel = makeElf([{ vaddr: 0x200000, bytes: withHeader() }], 0x200000);
    const big = [...modules, { bytes: new Uint8Array(15 * MIB), commandLine: "" }];
    expect(refused(kernel, "multiboot", { ...BARE, modules: big })).toMatch(/module 4 of 4 .* more memory/);
    const wordy = [{ bytes: code, commandLine: "x".repeat(1001) }];
    expect(refused(kernel, "multiboot", { ...BARE, modules: wordy })).toMatch(/1001 characters/);
  });

  function withHeader(): Uint8Array {
    const body = new Uint8Array(64).fill(0x90);
    body.set(multibootHeader(3));
    return body;
  }
});

describe("auto", () => {
  const sniffed = (bytes: Uint8Array) => {
    const found = kindOf(bytes, "auto");
    return found.ok ? found.kind : found.error;
  };
  const disk = signed(10_000 * 512);

  it.each([
    ["a bzImage, though it has a boot sector's signature", makeLinux(code), "linux"],
    ["a bzImage with an EFI stub", efiStub(), "linux"],
    ["a boot sector", signed(512), "boot-sector"],
    ["a floppy", signed(1440 * 1024), "boot-sector"],
    ["a disk", disk, "disk"],
    ["a disk with a multiboot kernel on it", kernelOn(disk), "disk"],
    ["a multiboot kernel with 55 AA at 510 by chance", byChance(), "multiboot"],
    ["a ROM", rom(0x20000), "rom"],
    ["a ROM with a near jump", rom(0x10000, [0xe9, 0, 0xff]), "rom"],
    ["a floppy's size without the signature", new Uint8Array(1440 * 1024), "flat"],
    ["a ROM's size without a jump", new Uint8Array(0x10000), "flat"],
  ])("%s", (_what, bytes, kind) => {
    expect(sniffed(bytes)).toBe(kind);
  });

  it("refuses wrapped files and CDs by name", () => {
    expect(sniffed(Uint8Array.of(0x1f, 0x8b, 8, 0))).toMatch(/compressed \(gzip\)/);
    expect(sniffed(Uint8Array.of(0x51, 0x46, 0x49, 0xfb))).toMatch(/qcow2/);
    const iso = new Uint8Array(0x9000);
    iso.set([1, 0x43, 0x44, 0x30, 0x30, 0x31], 0x8000);
    expect(sniffed(iso)).toMatch(/no CD drive/);
  });

  it("the first three kinds are for bare, the others for a pc", () => {
    expect((["flat", "elf", "multiboot"] as const).map(machineFor)).toEqual(["bare", "bare", "bare"]);
    expect((["linux", "boot-sector", "disk", "rom"] as const).map(machineFor)).toEqual([
      "pc",
      "pc",
      "pc",
      "pc",
    ]);
  });

  function efiStub(): Uint8Array {
    const bytes = makeLinux(code);
    bytes.set([0x4d, 0x5a]);
    bytes[0x3c] = 0x40;
    bytes.set([0x50, 0x45, 0, 0], 0x40);
    return bytes;
  }
  function kernelOn(image: Uint8Array): Uint8Array {
    const bytes = image.slice();
    bytes.set(multibootHeader(0), 0x1200);
    return bytes;
  }
  function byChance(): Uint8Array {
    const bytes = signed(4096);
    bytes.set(multibootHeader(1 << 16, [0x100000, 0x100000, 0, 0, 0x100020]));
    return bytes;
  }
});
