/**
 * The boot information structure of multiboot 1 (Multiboot Specification 0.6.96, 3.3): memory sizes, command line,
 * modules, memory map, loader's name, and on a PC its text screen.
 */
import { type ImageOptions, put32, textBytes } from "./image.ts";
import { lowerKib, memoryMap } from "./memory-map.ts";

const INFO_SIZE = 116;
const MMAP_ENTRY = 24;
const MODULE_ENTRY = 16;
const LOADER_NAME = "Quadrant";
const HAS_MEMORY = 1 << 0;
const HAS_COMMAND_LINE = 1 << 2;
const HAS_MODULES = 1 << 3;
const HAS_MEMORY_MAP = 1 << 6;
const HAS_LOADER_NAME = 1 << 9;
const HAS_FRAMEBUFFER = 1 << 12;
const FRAMEBUFFER_TEXT = 2;

export const MOST_COMMAND_LINE = 1000;

/** A module as it lies in memory, [start, end), and its text. */
export interface PlacedModule {
  readonly start: number;
  readonly end: number;
  readonly commandLine: string;
}

/**
 * The structure and everything it points at, as it lies at guest-physical `at`. Its length does not depend on `at`,
 * nor on where the modules lie.
 */
export function buildInfo(
  at: number,
  options: ImageOptions,
  modules: readonly PlacedModule[],
): Uint8Array<ArrayBuffer> {
  const regions = memoryMap(options);
  const name = textBytes(LOADER_NAME);
  const command = textBytes(options.commandLine ?? "");
  const texts = modules.map(({ commandLine }) => textBytes(commandLine));
  const mapAt = INFO_SIZE;
  const modulesAt = mapAt + regions.length * MMAP_ENTRY;
  const nameAt = modulesAt + modules.length * MODULE_ENTRY;
  const commandAt = nameAt + name.length;
  const textsAt = commandAt + command.length;
  const bytes = new Uint8Array(textsAt + texts.reduce((sum, text) => sum + text.length, 0));
  const put = (offset: number, value: number) => put32(bytes, offset, value);
  const put64 = (offset: number, value: number) => {
    put(offset, value % 0x1_0000_0000);
    put(offset + 4, Math.floor(value / 0x1_0000_0000));
  };
  const pc = options.machine === "pc";
  put(
    0,
    HAS_MEMORY |
      HAS_COMMAND_LINE |
      HAS_MEMORY_MAP |
      HAS_LOADER_NAME |
      (modules.length > 0 ? HAS_MODULES : 0) |
      (pc ? HAS_FRAMEBUFFER : 0),
  );
  put(4, lowerKib(options)); // mem_lower, KiB
  put(8, Math.max(0, options.memory - 0x100000) >>> 10); // mem_upper, KiB from 1 MiB
  put(16, at + commandAt);
  put(20, modules.length);
  put(24, modules.length > 0 ? at + modulesAt : 0);
  put(44, regions.length * MMAP_ENTRY);
  put(48, at + mapAt);
  put(64, at + nameAt);
  if (pc) {
    put64(88, 0xb8000);
    put(96, 160); // bytes a line
    put(100, 80);
    put(104, 25);
    bytes[108] = 16; // bits a cell
    bytes[109] = FRAMEBUFFER_TEXT;
  }
  regions.forEach(({ base, length, type }, i) => {
    const entry = mapAt + i * MMAP_ENTRY;
    put(entry, MMAP_ENTRY - 4); // the size field does not count itself
    put64(entry + 4, base);
    put64(entry + 12, length);
    put(entry + 20, type);
  });
  let textAt = textsAt;
  modules.forEach(({ start, end }, i) => {
    const entry = modulesAt + i * MODULE_ENTRY;
    put(entry, start);
    put(entry + 4, end);
    put(entry + 8, at + textAt);
    bytes.set(texts[i]!, textAt);
    textAt += texts[i]!.length;
  });
  bytes.set(name, nameAt);
  bytes.set(command, commandAt);
  return bytes;
}
