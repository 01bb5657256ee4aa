/**
 * Host memory as a snapshot keeps it: the frames that hold anything, and nothing for the others. A frame that was
 * written and is all zeroes again counts as untouched.
 */
import { type HostMemory, PAGE_SIZE } from "../memory/host-memory.ts";

export interface MemoryImage {
  /** Total frames of the machine it was taken from. */
  readonly frames: number;
  /** Host frame numbers, ascending. */
  readonly hfns: Uint32Array;
  /** Their bytes, one after the other. */
  readonly bytes: Uint8Array;
}

/** True when every byte of the frame is 0. */
export function isZeroFrame(memory: HostMemory, hfn: number): boolean {
  const { u32 } = memory;
  const end = (hfn + 1) * (PAGE_SIZE / 4);
  for (let i = hfn * (PAGE_SIZE / 4); i < end; i++) if (u32[i] !== 0) return false;
  return true;
}

/** Host frames that were touched and hold something. */
export function liveFrames(memory: HostMemory): Uint32Array {
  const found: number[] = [];
  for (let hfn = 0; hfn < memory.frames; hfn++) {
    if (memory.version[hfn] !== 0 && !isZeroFrame(memory, hfn)) found.push(hfn);
  }
  return Uint32Array.from(found);
}

export function saveMemory(memory: HostMemory): MemoryImage {
  const hfns = liveFrames(memory);
  const bytes = new Uint8Array(hfns.length * PAGE_SIZE);
  for (let i = 0; i < hfns.length; i++) {
    const at = hfns[i]! * PAGE_SIZE;
    bytes.set(memory.bytes.subarray(at, at + PAGE_SIZE), i * PAGE_SIZE);
  }
  return { frames: memory.frames, hfns, bytes };
}

/** Makes memory equal to the image; frames that change (or may have) are stamped. @throws when it does not fit */
export function loadMemory(memory: HostMemory, image: MemoryImage): void {
  if (image.frames !== memory.frames || image.bytes.length !== image.hfns.length * PAGE_SIZE) {
    throw new Error("the memory in the snapshot does not fit the machine it describes");
  }
  for (let hfn = 0; hfn < memory.frames; hfn++) {
    if (memory.version[hfn] === 0) continue;
    memory.bytes.fill(0, hfn * PAGE_SIZE, (hfn + 1) * PAGE_SIZE);
    memory.touch(hfn);
  }
  for (let i = 0; i < image.hfns.length; i++) {
    const hfn = image.hfns[i]!;
    if (hfn >= memory.frames) throw new Error("the snapshot names a frame that the machine does not have");
    memory.bytes.set(image.bytes.subarray(i * PAGE_SIZE, (i + 1) * PAGE_SIZE), hfn * PAGE_SIZE);
    memory.touch(hfn);
  }
}
