/**
 * How often KVM of 2007 reads and writes the VMCS for an exit: counted by hand in drivers/kvm/vmx.c and kvm_main.c at
 * Linux commit 002c7f7c32a6 (the preempt notifiers of mid 2007 are in), for a 32-bit guest on a 64-bit host, where
 * vmcs_read64 is one VMREAD (on a 32-bit host it is two). Interrupts are off and nothing is rescheduled; where a path
 * depends on state, the shorter one is counted, and a guest FPU that is not loaded stays so.
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
/** vcpu_load_rsp_rip (cache_regs) reads two fields, vcpu_put_rsp_rip (decache_regs) writes the same two. */
const CACHE = 2;
/** vmx_save_host_state on the first entry behind userspace: host FS and GS, selector and base each. */
const HOST_STATE = 4;
/** vmx_fpu_activate behind a clear CR0.TS: GUEST_CR0 read and written, the exception bitmap written. */
const FPU: VmcsAccesses = { reads: 1, writes: 2 };
/** kvm_mmu_reset_context leaves no root: kvm_mmu_reload writes GUEST_CR3 before the next entry. */
const NEW_ROOT = 1;

/** What the handler of an exit adds, by the exit's name in `EXIT_NAMES`. An exit that is absent adds nothing. */
export const VMCS_EXITS: Readonly<Record<string, VmcsAccesses>> = {
  // handle_exception: vectoring and interruption information, RIP, error code, qualification.
  "#PF": { reads: 5, writes: 0 },
  // handle_cr for CR3: qualification; GUEST_CR3 (vmx_set_cr3). CR0 and CR4 write two fields and the new root's.
  "cr-write": { reads: 1 + CACHE + SKIP.reads, writes: 1 + SKIP.writes },
  "cr-read": { reads: 1 + CACHE + SKIP.reads, writes: CACHE + SKIP.writes },
  // handle_cr: qualification; the read shadow of CR0.
  clts: { reads: 1 + CACHE + FPU.reads + SKIP.reads, writes: 1 + FPU.writes + SKIP.writes },
  // handle_cr, vmx_set_cr0 with CR0.TS set: qualification; GUEST_CR0 and its read shadow.
  lmsw: { reads: 1 + SKIP.reads, writes: 2 + NEW_ROOT + SKIP.writes },
  // handle_invlpg of the later eras: qualification. At the reference commit INVLPG does not exit.
  invlpg: { reads: 1 + SKIP.reads, writes: SKIP.writes },
  // handle_io: qualification, RFLAGS. kvm_setup_pio caches and decaches the registers; there is no device in the kernel,
  // so post_kvm_run_save reads RFLAGS, and complete_pio, back from userspace, caches, decaches and skips.
  io: { reads: 2 + CACHE + 1 + CACHE + SKIP.reads, writes: CACHE + CACHE + SKIP.writes + HOST_STATE },
  hlt: SKIP,
  // kvm_emulate_cpuid.
  cpuid: { reads: CACHE + SKIP.reads, writes: CACHE + SKIP.writes },
  // An MSR that is no field of the VMCS.
  rdmsr: SKIP,
  wrmsr: SKIP,
};

/** emulate_instruction: RSP, RIP, CS rights, RFLAGS, six segment bases; RSP, RIP, RFLAGS. */
export const VMCS_EMULATE: VmcsAccesses = { reads: CACHE + 1 + 1 + 6, writes: CACHE + 1 };

/** vmx_inject_page_fault: IDT-vectoring information; error code, interruption information. */
export const VMCS_INJECT: VmcsAccesses = { reads: 1, writes: 2 };
