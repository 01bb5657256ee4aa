/**
 * What the image loaders answer for right images, and the sentences for wrong ones.
 */
import { describe, expect, it } from "vitest";
import { GUESTS } from "../../../core/guests/index.ts";
import { type LoadedImage, openImage } from "../../../core/images/index.ts";
import { makeElf, multibootHeader } from "./make-elf.ts";

const MIB = 1 << 20;
const MEMORY = { memory: 16 * MIB, memoryHigh: 0 };

function opened(
  bytes: Uint8Array,
  kind: string,
  options: Parameters<typeof openImage>[2] = MEMORY,
): LoadedImage {
  const result = openImage(bytes, kind, options);
  if (!result.ok) throw new Error(result.error);
  return result.image;
}

function refused(bytes: Uint8Array, kind: string, options: Parameters<typeof openImage>[2] = MEMORY): string {
  const result = openImage(bytes, kind, options);
  if (result.ok) throw new Error("it was not refused");
  return result.error;
}

/** The memory that an image asks for, below 1 MiB and where it says, as one array. */
function stored(image: LoadedImage, memory = 2 * MIB): Uint8Array {
  const bytes = new Uint8Array(memory).fill(0xee);
  for (const { gpa, length } of image.zeros) bytes.fill(0, gpa, gpa + length);
  for (const write of image.writes) bytes.set(write.bytes, write.gpa);
  return bytes;
}

const word = (bytes: Uint8Array, at: number) => new DataView(bytes.buffer).getUint32(at, true);

const code = new Uint8Array([0xfa, 0xf4, 1, 2, 3, 4]);

describe("flat images", () => {
  it("start at their address with the registers and the GDT of the issue", () => {
    const image = opened(code, "flat", { ...MEMORY, address: 0x123456 });
    expect(image.entry).toBe(0x123456);
    expect(image.regs).toEqual({ eax: 0, ecx: 0, edx: 0, ebx: 0, esp: 0x7c00, ebp: 0, esi: 0, edi: 0 });
    const memory = stored(image);
    expect([...memory.subarray(0x123456, 0x123456 + code.length)]).toEqual([...code]);
    expect(image.gdt.limit).toBe(23);
    expect(image.gdt.base + image.gdt.limit).toBeLessThan(0x500);
    const descriptor = (n: number) => [
      word(memory, image.gdt.base + n * 8),
      word(memory, image.gdt.base + n * 8 + 4),
    ];
    expect(descriptor(0)).toEqual([0, 0]);
    expect(descriptor(1)).toEqual([0xffff, 0x00cf9b00]);
    expect(descriptor(2)).toEqual([0xffff, 0x00cf9300]);
  });

  it("go to 1 MiB when no address is given", () => {
    expect(opened(code, "flat").entry).toBe(0x100000);
  });

  it("keep their bytes where the GDT would lie", () => {
    const low = opened(new Uint8Array(0x30).fill(7), "flat", { ...MEMORY, address: 0x4e0 });
    const memory = stored(low);
    expect([...memory.subarray(0x4e0, 0x510)].every((b) => b === 7)).toBe(true);
    expect(word(memory, low.gdt.base + 8)).toBe(0xffff);
    const all = opened(new Uint8Array(0x1000).fill(7), "flat", { ...MEMORY, address: 0 });
    expect([...stored(all).subarray(0, 0x1000)].every((b) => b === 7)).toBe(true);
  });

  it("are refused outside the memory", () => {
    expect(refused(code, "flat", { ...MEMORY, address: 16 * MIB - 2 })).toMatch(
      /behind the memory's end 0x1000000/,
    );
    expect(refused(code, "flat", { ...MEMORY, address: -1 })).toMatch(/load address -1/);
    expect(refused(code, "flat", { ...MEMORY, address: 1.5 })).toMatch(/load address 1.5/);
    expect(refused(code, "flat", { ...MEMORY, address: Number.NaN })).toMatch(/load address NaN/);
    expect(refused(new Uint8Array(0), "flat")).toMatch(/empty/);
    expect(opened(code, "flat", { ...MEMORY, address: 16 * MIB - code.length }).entry).toBe(16 * MIB - 6);
  });
});

describe("ELF32 images", () => {
  const symbols = [
    { name: "start", address: 0xc0100000 },
    { name: "table", address: 0xc0100004, type: 1 },
    { name: "file.c", address: 0, type: 4 },
  ];
  const higher = makeElf(
    [{ vaddr: 0xc0100000, paddr: 0x100000, bytes: code, memsz: 0x2000 }],
    0xc0100000,
    symbols,
  );

  it("load by physical address, zero the rest, and start at the physical entry", () => {
    const image = opened(higher, "elf");
    expect(image.entry).toBe(0x100000);
    const memory = stored(image);
    expect([...memory.subarray(0x100000, 0x100006)]).toEqual([...code]);
    expect(memory[0x100006]).toBe(0);
    expect(memory[0x101fff]).toBe(0);
    expect(memory[0x102000]).toBe(0xee);
    expect(image.symbols).toEqual(symbols.slice(0, 2).map(({ name, address }) => ({ name, address })));
    expect(image.notes).toEqual([]);
  });

  it("lose their names, not their life, to a damaged symbol table", () => {
    const bytes = higher.slice();
    new DataView(bytes.buffer).setUint32(32, 0xfffffff0, true);
    const image = opened(bytes, "elf");
    expect(image.symbols).toEqual([]);
    expect(image.notes[0]).toMatch(/section headers/);
  });

  const broken = (at: number, value: number, size: 1 | 2 | 4 = 4): Uint8Array => {
    const bytes = higher.slice();
    const view = new DataView(bytes.buffer);
    if (size === 1) view.setUint8(at, value);
    else if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    return bytes;
  };

  it.each([
    ["no magic", broken(0, 0), /begins with 00 00 00 00/],
    ["64 bits", broken(4, 2, 1), /64-bit/],
    ["big-endian", broken(5, 2, 1), /byte order/],
    ["a shared object", broken(16, 3, 2), /shared or position-independent/],
    ["another machine", broken(18, 62, 2), /machine number at 0x12 is 62/],
    ["no program headers", broken(44, 0, 2), /no program headers/],
    ["headers of a wrong size", broken(42, 56, 2), /56 bytes/],
    ["too many headers", broken(44, 0xffff, 2), /reach behind the file's end/],
    ["headers far away", broken(28, 0xffffff00), /reach behind the file's end/],
    ["nothing to load", broken(52, 4), /PT_LOAD/],
    ["an offset behind the end", broken(56, 0xfffffff0), /cut off or damaged/],
    ["more in the file than in memory", broken(68, 0x3000), /only 8192 in memory/],
    ["an address behind the memory", broken(64, 0xfffff000), /behind the memory's end/],
    ["a lying memory size", broken(72, 0xffffffff), /behind the memory's end/],
    ["an entry outside", broken(24, 0x12), /entry point 0x12/],
    ["a cut header", higher.slice(0, 40), /inside its header/],
  ])("are refused with %s", (_what, bytes, sentence) => {
    expect(refused(bytes, "elf")).toMatch(sentence);
  });

  it("are refused when segments overlap", () => {
    const twice = makeElf(
      [
        { vaddr: 0x100000, bytes: code },
        { vaddr: 0x100005, bytes: code },
      ],
      0x100000,
    );
    expect(refused(twice, "elf")).toMatch(/overlap at physical 0x100005/);
  });
});

describe("multiboot images", () => {
  const guest = GUESTS[0]!;

  it("load by their address fields, with EAX and EBX as the specification says", () => {
    const image = opened(guest.bytes, "multiboot", {
      memory: 128 * MIB,
      memoryHigh: 16 * MIB,
      commandLine: "a=b",
    });
    expect(image.regs.eax).toBe(0x2badb002);
    const memory = stored(image);
    expect([...memory.subarray(0x100000, 0x100000 + guest.bytes.length)]).toEqual([...guest.bytes]);
    expect(memory[0x100000 + guest.bytes.length]).toBe(0);
    const info = image.regs.ebx;
    expect(word(memory, info) & 0x245).toBe(0x245);
    expect(word(memory, info + 4)).toBe(640);
    expect(word(memory, info + 8)).toBe(127 * 1024);
    const text = (at: number) => String.fromCharCode(...memory.subarray(at, memory.indexOf(0, at)));
    expect(text(word(memory, info + 16))).toBe("a=b");
    expect(text(word(memory, info + 64))).toBe("Quadrant");
    const entries: number[][] = [];
    const start = word(memory, info + 48);
    for (let at = start; at < start + word(memory, info + 44); at += word(memory, at) + 4) {
      entries.push([4, 8, 12, 16, 20].map((o) => word(memory, at + o)));
    }
    expect(entries).toEqual([
      [0, 0, 128 * MIB, 0, 1],
      [0, 1, 16 * MIB, 0, 1],
    ]);
    // The structure lies apart from the image.
    expect(info + 200 <= 0x100000).toBe(true);
  });

  it("load as ELF when flag 16 is clear", () => {
    const body = new Uint8Array(64).fill(0x90);
    body.set(multibootHeader(3));
    const image = opened(makeElf([{ vaddr: 0x200000, bytes: body }], 0x20000c), "auto");
    expect(image.kind).toBe("multiboot");
    expect(image.entry).toBe(0x20000c);
    expect(image.regs.eax).toBe(0x2badb002);
  });

  const withHeader = (flags: number, addresses: number[] = [], size = 0x100) => {
    const bytes = new Uint8Array(size).fill(0x90);
    bytes.set(multibootHeader(flags, addresses), 0x40);
    return bytes;
  };
  const kludge = 1 << 16;

  it.each([
    ["no header", new Uint8Array(9000), /no header/],
    ["a header that is not ELF", withHeader(0), /flag 16/],
    ["a wish for video", withHeader(4), /video mode/],
    ["unknown demands", withHeader(0x10), /flags 0x10/],
    ["header_addr before load_addr", withHeader(kludge, [0x100000, 0x200000, 0, 0, 0x100000]), /load_addr/],
    ["a load_addr before the file", withHeader(kludge, [0x100040, 0x80000, 0, 0, 0x100000]), /load_addr/],
    [
      "an end before the beginning",
      withHeader(kludge, [0x100040, 0x100000, 0xff000, 0, 0x100000]),
      /load_end_addr/,
    ],
    ["an end behind the file", withHeader(kludge, [0x100040, 0x100000, 0x200000, 0, 0x100000]), /cut off/],
    [
      "bss_end before the end",
      withHeader(kludge, [0x100040, 0x100000, 0, 0x100010, 0x100000]),
      /bss_end_addr/,
    ],
    [
      "bss behind the memory",
      withHeader(kludge, [0x100040, 0x100000, 0, 0xffffffff, 0x100000]),
      /memory's end/,
    ],
    ["an entry outside", withHeader(kludge, [0x100040, 0x100000, 0, 0, 0x10]), /entry_addr 0x10/],
    ["cut address fields", withHeader(kludge, [0x100040], 0x50), /cut off/],
  ])("are refused with %s", (_what, bytes, sentence) => {
    expect(refused(bytes, "multiboot")).toMatch(sentence);
  });

  it("keep their information structure out of an image that fills low memory", () => {
    const bytes = new Uint8Array(0xa0000).fill(0x90);
    bytes.set(multibootHeader(kludge, [0x1000, 0x1000, 0, 0, 0x1040]));
    const image = opened(bytes, "multiboot");
    expect(image.regs.ebx).toBeGreaterThanOrEqual(0x100000);
  });
});

describe("auto", () => {
  it("knows multiboot, ELF and flat images", () => {
    const elf = makeElf([{ vaddr: 0x100000, bytes: code }], 0x100000);
    expect(opened(GUESTS[0]!.bytes, "auto", { memory: 128 * MIB, memoryHigh: 0 }).kind).toBe("multiboot");
    expect(opened(elf, "auto").kind).toBe("elf");
    expect(opened(code, "auto").kind).toBe("flat");
  });

  it("refuses what is surely no kernel for this machine", () => {
    const pe = new Uint8Array(0x100);
    pe.set([0x4d, 0x5a]);
    pe[0x3c] = 0x80;
    pe.set([0x50, 0x45, 0, 0], 0x80);
    expect(refused(pe, "auto")).toMatch(/Windows or EFI/);
    const linux = new Uint8Array(0x400);
    linux.set([0x55, 0xaa], 0x1fe);
    linux.set([0x48, 0x64, 0x72, 0x53], 0x202);
    expect(refused(linux, "auto")).toMatch(/Linux kernel/);
    expect(refused(code, "raw")).toMatch(/unknown image kind "raw"/);
  });
});
