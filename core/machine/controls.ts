/**
 * Control registers written from outside: MOV to CRn and WRMSR of EFER as an instruction at CPL 0 would, and INVLPG.
 * A #GP of the guest's own is told and not delivered. SDM vol. 3, 2.5, 4.10.4.1; docs/kvm-shadow-mmu.md 5.9.
 */
import type { StartControls } from "../images/index.ts";
import { eferChanged, setCr0, setCr3, setCr4 } from "../kvm/exits/controls.ts";
import type { Kvm } from "../kvm/index.ts";
import { mmuInvlpg } from "../kvm/shadow/invlpg.ts";
import { EV_WRMSR } from "../trace/events.ts";
import { EFER_NXE, movToCr } from "../x86/system.ts";
import type { EditOutcome } from "./edits.ts";
import type { ControlRegister } from "./inputs.ts";
import { type Machine, MachineError } from "./machine.ts";

const GP = 13;
const MSR_EFER = 0xc000_0080 | 0;
const NUMBER: Readonly<Record<Exclude<ControlRegister, "efer">, number>> = { cr0: 0, cr3: 3, cr4: 4 };
const DONE: EditOutcome = { ok: true, exits: 0, written: 0 };

/** Why a made-up system instruction makes no sense now, or null. */
export function checkControl(machine: Machine): string | null {
  const { cpu } = machine;
  if (cpu.cpl !== 0) return `control registers and INVLPG belong to CPL 0; the guest runs at CPL ${cpu.cpl}`;
  return cpu.pendingVector >= 0 ? "another event is being delivered: step once first" : null;
}

/** Writes a register; under a hypervisor the caller has told it of the exit. `value`: unsigned. */
export function writeControl(machine: Machine, register: ControlRegister, value: number): EditOutcome {
  const { kvm } = machine;
  const done =
    register === "efer"
      ? writeEfer(machine, value | 0)
      : kvm === null
        ? writeBare(machine, NUMBER[register], value | 0)
        : writeOwned(kvm, register, value);
  if (done) return DONE;
  const text = `${register.toUpperCase()} = 0x${value.toString(16)} raises #GP(0)`;
  return { ok: false, fault: { gva: 0, error: 0, vector: GP, text } };
}

/** INVLPG of the page that holds `gva`; where it exits (2.6.28 and later) the shadow's part comes first. */
export function invalidate(machine: Machine, gva: number): void {
  const mmu = machine.kvm?.mmu;
  if (mmu !== undefined && mmu.policy.invlpg !== null) mmuInvlpg(mmu, gva | 0);
  machine.cpu.paging.invlpg(gva | 0);
}

/** False: #GP(0), which is taken back. */
function writeBare(machine: Machine, number: number, value: number): boolean {
  const { cpu } = machine;
  movToCr(cpu, number, value);
  const refused = cpu.faulted;
  cpu.faulted = false;
  return !refused;
}

function writeOwned(kvm: Kvm, register: Exclude<ControlRegister, "efer">, value: number): boolean {
  const { mmu } = kvm;
  const set = register === "cr0" ? setCr0 : register === "cr3" ? setCr3 : setCr4;
  const done = set(mmu, value);
  if (!done) mmu.cpu.cancelInjection();
  return done;
}

function writeEfer(machine: Machine, value: number): boolean {
  const { cpu, kvm, trace } = machine;
  if ((value & ~EFER_NXE) !== 0) return false;
  const old = cpu.efer;
  cpu.efer = value;
  if (trace.on) trace.emit(EV_WRMSR, MSR_EFER, value, 0);
  if (kvm === null) cpu.applyControls();
  else eferChanged(kvm.mmu, old);
  return true;
}

/** The registers that an image starts with, on the bare machine. @throws MachineError when a MOV would raise #GP */
export function startControls(machine: Machine, controls: StartControls): void {
  const { cpu } = machine;
  cpu.eflags = controls.eflags | 2;
  for (const register of ["efer", "cr4", "cr3", "cr0"] as const) {
    const outcome = writeControl(machine, register, controls[register]);
    if (!outcome.ok) throw new MachineError(`the start state is impossible: ${outcome.fault.text}`);
  }
}
