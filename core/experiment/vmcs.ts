/**
 * How often KVM of 2007 reads and writes the VMCS for an exit: counted in drivers/kvm/vmx.c and kvm_main.c of Linux
 * 2.6.23 (vmx_vcpu_run, kvm_handle_exit and the handlers), for a 32-bit guest with interrupts off on the short way round
 * (no rescheduling, no way to user space). Where a path depends on state, the shorter one is counted.
 */

export interface VmcsAccesses {
  readonly reads: number;
  readonly writes: number;
}

/**
 * Every exit. Reads: RFLAGS and the execution controls (do_interrupt_requests), interruptibility, IDT-vectoring
 * information, exit reason. Writes: execution controls, host CR0, host RSP.
 */
export const VMCS_COMMON: VmcsAccesses = { reads: 5, writes: 3 };

/** skip_emulated_instruction: RIP, instruction length, interruptibility; RIP. */
const SKIP: VmcsAccesses = { reads: 3, writes: 1 };
/** vcpu_load_rsp_rip. */
const LOAD = 2;

/** What the handler of an exit adds, by the exit's name in `EXIT_NAMES`. */
export const VMCS_EXITS: Readonly<Record<string, VmcsAccesses>> = {
  // handle_exception: vectoring and interruption information, RIP, error code, qualification.
  "#PF": { reads: 5, writes: 0 },
  // handle_cr: qualification; CR3 itself, or CR0 and its shadow, are written.
  "cr-write": { reads: 1 + LOAD + SKIP.reads, writes: 1 + SKIP.writes },
  "cr-read": { reads: 1 + LOAD + SKIP.reads, writes: 2 + SKIP.writes },
  clts: { reads: 1 + LOAD + SKIP.reads, writes: 1 + SKIP.writes },
  lmsw: { reads: 1 + SKIP.reads, writes: 2 + SKIP.writes },
  // handle_invlpg of the later eras: qualification. At the reference commit INVLPG does not exit.
  invlpg: { reads: 1 + SKIP.reads, writes: SKIP.writes },
  // handle_io: qualification, RFLAGS. The way to user space and back is not counted.
  io: { reads: 2 + SKIP.reads, writes: SKIP.writes },
  hlt: SKIP,
  cpuid: { reads: LOAD + SKIP.reads, writes: 2 + SKIP.writes },
  rdmsr: SKIP,
  wrmsr: SKIP,
};

/** emulate_instruction: RSP, RIP, CS rights, RFLAGS, six segment bases; RSP, RIP, RFLAGS. */
export const VMCS_EMULATE: VmcsAccesses = { reads: LOAD + 1 + 1 + 6, writes: 3 };

/** vmx_inject_page_fault: IDT-vectoring information; error code, interruption information. */
export const VMCS_INJECT: VmcsAccesses = { reads: 1, writes: 2 };
