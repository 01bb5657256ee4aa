/**
 * Stores into host memory by anybody but the processor's own fast path (the hypervisor, devices, people): they stamp
 * the page's version and drop the code they hit. `hpa` is a host byte address; a store lies within one frame.
 */
import { FRAME_CODE, type HostMemory } from "../memory/host-memory.ts";
import type { Cpu } from "./cpu.ts";

/** Call before storing `size` bytes at `hpa`. */
export function beforeHostWrite(memory: HostMemory, cpu: Cpu, hpa: number, size: number): void {
  const hfn = hpa >>> 12;
  memory.touch(hfn);
  if ((memory.flags[hfn]! & FRAME_CODE) !== 0) cpu.blocks.written(hfn, hpa & 0xfff, size);
}

export function hostWrite8(memory: HostMemory, cpu: Cpu, hpa: number, value: number): void {
  beforeHostWrite(memory, cpu, hpa, 1);
  memory.bytes[hpa] = value;
}

export function hostWrite16(memory: HostMemory, cpu: Cpu, hpa: number, value: number): void {
  beforeHostWrite(memory, cpu, hpa, 2);
  memory.view.setUint16(hpa, value, true);
}

export function hostWrite32(memory: HostMemory, cpu: Cpu, hpa: number, value: number): void {
  beforeHostWrite(memory, cpu, hpa, 4);
  memory.view.setInt32(hpa, value, true);
}

/** Any number of bytes, across frames. */
export function hostWriteBytes(memory: HostMemory, cpu: Cpu, hpa: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    const size = Math.min(4096 - ((hpa + at) & 0xfff), bytes.length - at);
    beforeHostWrite(memory, cpu, hpa + at, size);
    at += size;
  }
  memory.bytes.set(bytes, hpa);
}
