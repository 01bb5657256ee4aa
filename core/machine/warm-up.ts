/**
 * Shows the processor's loop to the JavaScript engine before a guest is run. An engine compiles what it has seen: the first
 * time that a case of the loop (core/x86/chain.ts) is met behind that, it throws the compiled loop away and interprets until
 * it has another, half a second later. A booting kernel met a new case every other second. Some hundred instructions of a
 * processor of its own, run a few times, and it meets none. No machine's state is touched, and none depends on it.
 */
import { decodeBase64 } from "../guests/decode.ts";
import { BINARY } from "../guests/warm-up/binary.ts";
import { HostMemory } from "../memory/host-memory.ts";
import { MemorySlots } from "../memory/slots.ts";
import { Trace } from "../trace/trace.ts";
import { GuestBus } from "../x86/bus.ts";
import { Cpu } from "../x86/cpu.ts";
import { RUN_BUDGET } from "../x86/door.ts";
import { ESI, ESP } from "../x86/isa/exec/operand.ts";

/** Where the program (core/guests/warm-up) wants things; guest-physical. */
const CODE = 0x1c00;
const DATA = 0x8000;
const STACK = 0xb000;
const DIRECTORY = 0xb000;
const TABLE = 0xc000;
const PAGES = 16;
/** Pairs that are equal, less, greater, below and above, and one whose difference overflows. */
const COMPARED: readonly (readonly [number, number])[] = [
  [0, 0],
  [5, 5],
  [1, 2],
  [2, 1],
  [-1, 1],
  [1, -1],
  [-0x8000_0000, 1],
  [7, 7],
];
/** Fewer do not make the engine keep what it saw; more change nothing. */
const ROUNDS = 30;
/** Odd, so that blocks are also cut. */
const SLICE = 777;

/** A processor before the program. */
export function prepareWarmUp(rounds: number): Cpu {
  const memory = new HostMemory(PAGES);
  const slots = new MemorySlots([{ gfn: 0, pages: PAGES, hfn: 0 }]);
  const cpu = new Cpu(memory, new GuestBus(slots), new Trace(16));
  memory.bytes.set(decodeBase64(BINARY), CODE);
  COMPARED.forEach(([a, b], i) => {
    memory.i32[(DATA + 0x20) / 4 + i] = a;
    memory.i32[(DATA + 0x40) / 4 + i] = b;
  });
  memory.i32[(DATA + 0x80) / 4] = rounds;
  memory.i32[DIRECTORY / 4] = TABLE | 7;
  for (let i = 0; i < PAGES; i++) memory.i32[TABLE / 4 + i] = (i << 12) | 7;
  cpu.regs[ESI] = DATA;
  cpu.regs[ESP] = STACK;
  cpu.eip = CODE;
  cpu.cr3 = DIRECTORY;
  cpu.cr0 = 0x8001_0011 | 0;
  cpu.applyControls();
  return cpu;
}

/** Runs it to its HLT, with the TLB flushed now and then as a guest's is. Answers what ended it (RUN_…). */
export function runWarmUp(cpu: Cpu): number {
  let answer = RUN_BUDGET;
  while (answer === RUN_BUDGET) {
    cpu.paging.flush(1, false);
    answer = cpu.run(SLICE);
  }
  return answer;
}

let warm = false;

/** Once in a process. */
export function warmUp(): void {
  if (warm) return;
  warm = true;
  runWarmUp(prepareWarmUp(ROUNDS));
}
