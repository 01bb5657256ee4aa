/**
 * The smallest machine that runs an image on the bare processor: memory, the slots, a port whose transmitter is always
 * ready. No hypervisor, no devices, no queue: what a guest prints here is the processor's own doing.
 */
import { openImage } from "../../../core/images/index.ts";
import { HostMemory, HYPERVISOR_FRAMES, PAGE_SHIFT, PAGE_SIZE } from "../../../core/memory/host-memory.ts";
import { MemorySlots } from "../../../core/memory/slots.ts";
import { Trace } from "../../../core/trace/trace.ts";
import { GuestBus } from "../../../core/x86/bus.ts";
import { Cpu } from "../../../core/x86/cpu.ts";
import { RUN_BUDGET, RUN_HALTED, RUN_SHUTDOWN, RUN_UNIMPLEMENTED } from "../../../core/x86/door.ts";

export interface BareRun {
  readonly text: string;
  /** "hlt", "budget", or what went wrong. */
  readonly stop: string;
  readonly retired: number;
  readonly cpu: Cpu;
  /** The guest's memory from 0. */
  readonly bytes: Uint8Array;
}

const HIGH_GFN = 0x10_0000;

export function runBare(
  bytes: Uint8Array,
  kind: string,
  options: { address?: number; memory: number; memoryHigh: number },
  budget: number,
): BareRun {
  const opened = openImage(bytes, kind, options);
  if (!opened.ok) throw new Error(opened.error);
  const { image } = opened;
  const low = options.memory / PAGE_SIZE;
  const high = options.memoryHigh / PAGE_SIZE;
  const memory = new HostMemory(HYPERVISOR_FRAMES + low + high);
  const slotList = [{ gfn: 0, pages: low, hfn: HYPERVISOR_FRAMES }];
  if (high > 0) slotList.push({ gfn: HIGH_GFN, pages: high, hfn: HYPERVISOR_FRAMES + low });
  const slots = new MemorySlots(slotList);
  const base = HYPERVISOR_FRAMES << PAGE_SHIFT;
  for (const { gpa, bytes } of image.writes) memory.bytes.set(bytes, base + gpa);

  let text = "";
  const io = {
    in: (port: number, size: number) => (port === 0x3fd ? 0x60 : size === 1 ? 0xff : -1),
    out: (port: number, _size: number, value: number) => {
      if (port === 0x3f8) text += String.fromCharCode(value & 0xff);
    },
  };
  const trace = new Trace(1024);
  trace.on = false;
  const cpu = new Cpu(memory, new GuestBus(slots), trace, io);
  const { regs } = image;
  cpu.regs.set([regs.eax, regs.ecx, regs.edx, regs.ebx, regs.esp, regs.ebp, regs.esi, regs.edi]);
  cpu.eip = image.entry | 0;
  cpu.gdtBase = image.gdt.base;
  cpu.gdtLimit = image.gdt.limit;
  const why = cpu.run(budget);
  const stop =
    why === RUN_HALTED
      ? "hlt"
      : why === RUN_BUDGET
        ? "budget"
        : why === RUN_SHUTDOWN
          ? "triple fault"
          : why === RUN_UNIMPLEMENTED
            ? `unimplemented ${cpu.unimplemented}`
            : `run answered ${why}`;
  return {
    text,
    stop: `${stop}`,
    retired: cpu.retired,
    cpu,
    bytes: memory.bytes.subarray(base, base + options.memory),
  };
}
