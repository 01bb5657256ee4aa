/**
 * Our processor in the place of the host program: the same pages, the same privilege, one instruction at a time.
 */
import { HostMemory } from "../../../core/memory/host-memory.ts";
import { Trace } from "../../../core/trace/trace.ts";
import { Cpu } from "../../../core/x86/cpu.ts";
import { getEflags, setEflags } from "../../../core/x86/flags.ts";
import { CS, type Insn, REPEAT, STOP } from "../../../core/x86/isa/insn.ts";
import { ATTR_FLAT_CODE, SEG_BIG, SEG_G } from "../../../core/x86/segment-cache.ts";
import { BYTES, type Case, CODE, DATA, LANDING, LOW, type Outcome, STACK, WINDOW } from "./host.ts";

/** A processor whose physical memory has the four pages of the host program, CPL 3, paging off. */
export class Ours {
  readonly memory = new HostMemory(8);
  readonly cpu: Cpu;

  /** `Kind` may be a processor with another way to reach memory. */
  constructor(Kind: typeof Cpu = Cpu) {
    const pages = [CODE, DATA, LOW, STACK].map((address) => address >>> 12);
    const bus = {
      frameOf: (pfn: number): number => {
        const page = pages.indexOf(pfn);
        return page < 0 ? -1 : page + 1;
      },
    };
    this.cpu = new Kind(this.memory, bus, new Trace(64));
    this.cpu.setCpl(3);
  }

  /** The compared bytes of a page. */
  window(address: number): Uint8Array {
    const frame = [CODE, DATA, LOW, STACK].indexOf(address) + 1;
    return this.memory.bytes.subarray(frame * 4096 + WINDOW, frame * 4096 + WINDOW + BYTES);
  }

  run(c: Case, insn: Insn): Outcome {
    const cpu = this.cpu;
    this.window(c.dataPage).set(c.data);
    this.window(STACK).set(c.stack);
    for (let n = 0; n < 8; n++) cpu.regs[n] = c.regs[n];
    setEflags(cpu, c.eflags);
    cpu.faulted = false;
    cpu.segBase[CS] = c.small ? CODE : 0;
    cpu.segLimit[CS] = c.small ? 0xfff : 0xffff_ffff;
    cpu.segAttr[CS] = c.small ? ATTR_FLAT_CODE & ~(SEG_G | SEG_BIG) : ATTR_FLAT_CODE;
    cpu.segmentsChanged();
    const start = c.small ? 0 : CODE;
    let answer = REPEAT;
    while (answer === REPEAT) {
      cpu.eip = start + insn.length;
      answer = insn.exec(cpu, insn);
    }
    const signal = answer !== STOP ? 0 : cpu.excVector === 0 ? 8 : 11;
    return {
      regs: cpu.regs.slice(0, 8),
      eflags: getEflags(cpu),
      landed: answer !== STOP && cpu.eip === start + (LANDING - CODE),
      signal,
      data: this.window(c.dataPage).slice(),
      stack: this.window(STACK).slice(),
    };
  }
}
