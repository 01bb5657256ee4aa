/**
 * What the hypervisor answers when it has dealt with an exit, and what a unit that the processor ran in its place comes to.
 * Shadow paging and nested paging share it.
 */
import { RUN_EXIT, RUN_HALTED, RUN_SHUTDOWN, RUN_UNIMPLEMENTED } from "../../x86/door.ts";

export const KVM_CONTINUE = 0;
/** HLT retired: the processor waits for an event. */
export const KVM_HALTED = 1;
/** The simulated KVM met one of its own assertions or an endless loop: see `finding`. One can go on. */
export const KVM_FINDING = 2;
export const KVM_SHUTDOWN = 3;
/** The instruction in hand is not implemented (see the processor's `unimplemented`). */
export const KVM_UNIMPLEMENTED = 4;

/** Of `dispositionOf` alone: the unit exited, and that exit is to be dealt with. */
export const ANOTHER_EXIT = -1;

/** The disposition that follows from what `step` answered (RUN_…). */
export function dispositionOf(code: number): number {
  switch (code) {
    case RUN_HALTED:
      return KVM_HALTED;
    case RUN_SHUTDOWN:
      return KVM_SHUTDOWN;
    case RUN_UNIMPLEMENTED:
      return KVM_UNIMPLEMENTED;
    case RUN_EXIT:
      return ANOTHER_EXIT;
    default:
      return KVM_CONTINUE;
  }
}
