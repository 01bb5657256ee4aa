/**
 * The boot information structure of multiboot 1 (Multiboot Specification 0.6.96, 3.3): memory sizes, command line,
 * memory map, loader's name. The machine's memory has no holes: one map entry from 0, one from 4 GiB if there is any.
 */

const INFO_SIZE = 116;
const MMAP_ENTRY = 24;
const AVAILABLE = 1;
const LOADER_NAME = "Quadrant";
const HAS_MEMORY = 1 << 0;
const HAS_COMMAND_LINE = 1 << 2;
const HAS_MEMORY_MAP = 1 << 6;
const HAS_LOADER_NAME = 1 << 9;

export const MOST_COMMAND_LINE = 1000;

/**
 * The structure and everything it points at, as it lies at guest-physical `at`. Its length does not depend on `at`.
 * Sizes of memory are in bytes; `memoryHigh` lies at 4 GiB.
 */
export function buildInfo(at: number, commandLine: string, memory: number, memoryHigh: number): Uint8Array {
  const regions = [{ base: 0, length: memory }];
  if (memoryHigh > 0) regions.push({ base: 0x1_0000_0000, length: memoryHigh });
  const mapAt = INFO_SIZE;
  const nameAt = mapAt + regions.length * MMAP_ENTRY;
  const commandAt = nameAt + LOADER_NAME.length + 1;
  const bytes = new Uint8Array(commandAt + commandLine.length + 1);
  const view = new DataView(bytes.buffer);
  const put = (offset: number, value: number) => view.setUint32(offset, value, true);
  const putText = (offset: number, text: string) => {
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      bytes[offset + i] = code > 0xff ? 0x3f : code;
    }
  };
  put(0, HAS_MEMORY | HAS_COMMAND_LINE | HAS_MEMORY_MAP | HAS_LOADER_NAME);
  put(4, Math.min(640, memory >>> 10)); // mem_lower, KiB: conventional memory ends at 640 KiB
  put(8, Math.max(0, memory - 0x100000) >>> 10); // mem_upper, KiB from 1 MiB
  put(16, at + commandAt);
  put(44, regions.length * MMAP_ENTRY);
  put(48, at + mapAt);
  put(64, at + nameAt);
  regions.forEach(({ base, length }, i) => {
    const entry = mapAt + i * MMAP_ENTRY;
    put(entry, MMAP_ENTRY - 4); // the size field does not count itself
    put(entry + 4, base % 0x1_0000_0000);
    put(entry + 8, Math.floor(base / 0x1_0000_0000));
    put(entry + 12, length % 0x1_0000_0000);
    put(entry + 16, Math.floor(length / 0x1_0000_0000));
    put(entry + 20, AVAILABLE);
  });
  putText(nameAt, LOADER_NAME);
  putText(commandAt, commandLine);
  return bytes;
}
