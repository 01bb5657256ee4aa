/**
 * What a handler says of its instruction when it does not simply retire: an exception, a jump, an exit, or that the
 * mechanism is not there. They are methods of `Cpu`.
 */
import { pageFault } from "./access.ts";
import type { Cpu } from "./cpu.ts";
import { RUN_EXIT, RUN_UNIMPLEMENTED, VECTORING_NONE } from "./door.ts";
import { GP, UD } from "./exceptions.ts";
import { BRANCH, CS, STOP } from "./isa/insn.ts";
import { Operands } from "./operand-access.ts";

export abstract class Outcomes extends Operands {
  // ---- what a handler says ----

  /** Records an exception to be delivered; error -1: it has no code. */
  raise(this: Cpu, vector: number, error = -1): number {
    this.excVector = vector;
    this.excError = error;
    this.faulted = true;
    return STOP;
  }

  raisePageFault(this: Cpu, la: number, error: number): void {
    const emulating = this.emulating;
    this.emulating = true; // never an exit
    pageFault(this, la, error);
    this.emulating = emulating;
  }

  /** A near transfer's target (int32): #GP(0) beyond the limit of CS. */
  jumpNear(this: Cpu, target: number): number {
    if (!this.csFlat) return this.jumpWithin(target);
    this.eip = target;
    return BRANCH;
  }

  jumpWithin(this: Cpu, target: number): number {
    if (target >>> 0 > this.segLimit[CS]!) return this.raise(GP, 0);
    this.eip = target;
    return BRANCH;
  }

  unimplementedInsn(this: Cpu): number {
    if (this.unimplementedIsUd) return this.raise(UD);
    return this.stopUnimplemented("");
  }

  /** Stops the machine at this instruction: a mechanism that the manual defines and we do not have. */
  stopUnimplemented(this: Cpu, what: string): number {
    this.unimplemented = what;
    this.stopCode = RUN_UNIMPLEMENTED;
    this.faulted = true;
    return STOP;
  }

  /** True when an instruction has to exit for this reason. */
  intercepting(this: Cpu, reason: number): boolean {
    return ((this.intercepts >>> reason) & 1) !== 0 && !this.unintercepted;
  }

  /** The instruction in flight exits instead of happening. Details are put into `exit` by the caller. */
  exitFor(this: Cpu, reason: number): number {
    this.exit.reason = reason;
    this.exit.nextEip = this.eip;
    this.exit.vectoringType = VECTORING_NONE;
    this.stopCode = RUN_EXIT;
    this.faulted = true;
    return STOP;
  }
}
