/**
 * Which instruction and event exits to the hypervisor, under vmx and under svm, as one table that the processor's
 * intercepts and the help read. docs/kvm-shadow-mmu.md 5.1, 5.9.
 */
import {
  EXIT_CLTS,
  EXIT_CPUID,
  EXIT_CR_READ,
  EXIT_CR_WRITE,
  EXIT_EXTERNAL_INTERRUPT,
  EXIT_HLT,
  EXIT_INVLPG,
  EXIT_IO,
  EXIT_LMSW,
  EXIT_OUTSIDE,
  EXIT_PF,
  EXIT_RDMSR,
  EXIT_TASK_SWITCH,
  EXIT_TRIPLE_FAULT,
  EXIT_WRMSR,
} from "../../x86/door.ts";

export type TlbKind = "vmx" | "svm";

export interface ExitRow {
  /** EXIT_… of the door. */
  readonly reason: number;
  readonly name: string;
  readonly vmx: boolean;
  readonly svm: boolean;
  /** Exits under the policies whose INVLPG has a part in the shadow, under vmx and svm alike. */
  readonly unsync?: true;
  readonly help: string;
}

export const EXITS: readonly ExitRow[] = [
  {
    reason: EXIT_PF,
    name: "#PF",
    vmx: true,
    svm: true,
    help: "Every page fault: the exception bitmap has #PF and nothing filters it (5.1).",
  },
  {
    reason: EXIT_CR_WRITE,
    name: "MOV to CR0, CR3, CR4",
    vmx: true,
    svm: true,
    help: "The guest's control registers are not the processor's (5.9). MOV to CR2 does not exit.",
  },
  {
    reason: EXIT_CR_READ,
    name: "MOV from CR",
    vmx: false,
    svm: false,
    help: "The door gives the guest its own values without an exit.",
  },
  {
    reason: EXIT_CLTS,
    name: "CLTS",
    vmx: true,
    svm: true,
    help: "Writes CR0.TS; the context is kept (5.9).",
  },
  { reason: EXIT_LMSW, name: "LMSW", vmx: true, svm: true, help: "Goes through set_cr0 (5.9)." },
  {
    reason: EXIT_INVLPG,
    name: "INVLPG",
    vmx: false,
    svm: false,
    unsync: true,
    help: "Does not exit up to 2.6.27: the processor drops the translation by itself (5.9). Where page tables may be out of sync (E2, E3, F) it exits: the address's leaf is dropped or read again (9.3).",
  },
  {
    reason: EXIT_IO,
    name: "IN, OUT, INS, OUTS",
    vmx: true,
    svm: true,
    help: "Port accesses go to userspace's devices.",
  },
  {
    reason: EXIT_HLT,
    name: "HLT",
    vmx: true,
    svm: true,
    help: "The processor is given back until something wakes it.",
  },
  {
    reason: EXIT_CPUID,
    name: "CPUID",
    vmx: true,
    svm: true,
    help: "Unconditional under vmx; intercepted under svm.",
  },
  { reason: EXIT_RDMSR, name: "RDMSR", vmx: true, svm: true, help: "No MSR bitmap in this version." },
  { reason: EXIT_WRMSR, name: "WRMSR", vmx: true, svm: true, help: "EFER decides about NX." },
  {
    reason: EXIT_EXTERNAL_INTERRUPT,
    name: "external interrupt",
    vmx: true,
    svm: true,
    help: "The hypervisor takes it and injects the guest's.",
  },
  { reason: EXIT_TRIPLE_FAULT, name: "triple fault", vmx: true, svm: true, help: "Shutdown." },
  {
    reason: EXIT_TASK_SWITCH,
    name: "task switch",
    vmx: true,
    svm: true,
    help: "The hypervisor makes the switch, as kvm_task_switch does from 2.6.26 on. Before, the exit was unhandled under vmx.",
  },
  {
    reason: EXIT_OUTSIDE,
    name: "outside",
    vmx: true,
    svm: true,
    help: "Input, an edit, DMA, a switch of policy or hazard: something from outside changed the machine's state.",
  },
];

/** The processor's `intercepts` for a kind of virtualisation. `invlpg`: the policy wants INVLPG. */
export function interceptsOf(kind: TlbKind, invlpg = false): number {
  let bits = 0;
  for (const row of EXITS)
    if ((row[kind] || (invlpg && row.unsync === true)) && row.reason !== EXIT_OUTSIDE)
      bits |= 1 << row.reason;
  return bits;
}
