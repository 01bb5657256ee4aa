/**
 * What the hypervisor does with an exit: one handler a reason, and the emulation of the instruction in hand.
 * docs/kvm-shadow-mmu.md 5.1, 5.9, 7.6.
 */
import { EV_EMULATE, EV_EXIT, FLUSH_EXIT } from "../../trace/events.ts";
import {
  ACCESS_FETCH,
  ACCESS_USER,
  ACCESS_WRITE,
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
  RUN_EXIT,
  RUN_FAULTED,
  RUN_HALTED,
  RUN_RETIRED,
  STEP_EMULATE,
  STEP_NO_INTERCEPT,
  VECTORING_EXTERNAL,
  VECTORING_NONE,
} from "../../x86/door.ts";
import { C } from "../counters.ts";
import { CR0_PG, CR0_TS, CR4_PAE, EFER_NXE, INVALID_ROOT } from "../layout.ts";
import { FINDING_NO_PROGRESS, type Mmu } from "../mmu.ts";
import { H_DELIVERY_INTO_TABLE, H_PIO_STRING_INPUT, H_WP_TRICK } from "../policy/hazards.ts";
import { FAULT_EMULATE, FAULT_FIXED, FAULT_GUEST, FAULT_MMIO } from "../shadow/fault.ts";
import { mmuInvlpg } from "../shadow/invlpg.ts";
import { reclaimIfLow, unprotectPage } from "../shadow/page.ts";
import { enterGuest, loadPdptrs, resetContext } from "../shadow/roots.ts";
import { WALK_MANUAL, WALK_PEEK, WALK_SET_DIRTY, walkGuest, walkPlain } from "../shadow/walk.ts";
import { clts, eferChanged, lmsw, setCr0, setCr3, setCr4 } from "./controls.ts";
import {
  ANOTHER_EXIT,
  dispositionOf,
  KVM_CONTINUE,
  KVM_FINDING,
  KVM_HALTED,
  KVM_SHUTDOWN,
  KVM_UNIMPLEMENTED,
} from "./disposition.ts";
import { type Emulator, emulatorWritePhys } from "./emulator.ts";
import { injectPageFault } from "./inject.ts";
import { plainPageFault } from "./plain-fault.ts";

/** Exits for page faults that one instruction may take before it counts as stuck, and then as lost. */
const STUCK = 48;
const LOST = 96;

const EMU_DONE = 0;
const EMU_FAULT = 1;
const EMU_MMIO = 2;
const EMU_UNPROTECTED = 3;
const EMU_FAILED = 4;

export class ExitHandler {
  /** First opcode bytes (0x0f00 | second byte for two-byte opcodes) that the emulator refuses: 7.6. Empty by default. */
  refuses: readonly number[] = [];
  private readonly mmu: Mmu;
  private readonly emulator: Emulator;
  /** The exit goes to userspace (not a light one). */
  private heavy = false;

  constructor(mmu: Mmu, emulator: Emulator) {
    this.mmu = mmu;
    this.emulator = emulator;
  }

  /** Handles the exit that the processor's record describes. */
  handle(): number {
    const mmu = this.mmu;
    mmu.finding = null;
    if (mmu.cpu.exit.reason === EXIT_PF && this.refuses.length === 0 && plainPageFault(mmu)) {
      if (mmu.reload !== 0) enterGuest(mmu);
      return mmu.finding !== null ? KVM_FINDING : KVM_CONTINUE;
    }
    this.heavy = false;
    const answer = this.dispatch();
    enterGuest(mmu);
    if (!this.heavy && answer === KVM_CONTINUE) mmu.count[C.light_exits]!++;
    return mmu.finding !== null && answer !== KVM_SHUTDOWN ? KVM_FINDING : answer;
  }

  private dispatch(): number {
    const mmu = this.mmu;
    const cpu = mmu.cpu;
    const exit = cpu.exit;
    mmu.count[C.exits]!++;
    if (mmu.trace.on) {
      const qualification =
        exit.reason === EXIT_CR_WRITE || exit.reason === EXIT_CR_READ
          ? exit.cr
          : exit.reason === EXIT_IO
            ? exit.port
            : exit.reason === EXIT_RDMSR || exit.reason === EXIT_WRMSR
              ? exit.msr
              : exit.gva;
      mmu.trace.emit(EV_EXIT, exit.reason, qualification, exit.reason === EXIT_PF ? exit.error : 0);
    }
    if (!mmu.svm) cpu.paging.flush(FLUSH_EXIT, false);
    switch (exit.reason) {
      case EXIT_PF:
        return this.pageFault();
      case EXIT_CR_WRITE:
        return this.crWrite();
      case EXIT_CLTS:
        clts(mmu);
        cpu.complete();
        return KVM_CONTINUE;
      case EXIT_LMSW:
        if (lmsw(mmu, exit.value)) cpu.complete();
        return KVM_CONTINUE;
      case EXIT_IO:
        return this.io();
      case EXIT_HLT:
        this.heavy = true;
        mmu.count[C.halt_exits]!++;
        return this.halt();
      case EXIT_WRMSR:
        return this.wrmsr();
      case EXIT_INVLPG:
        // Where it exits (2.6.28 and later), the shadow's part comes first.
        mmuInvlpg(mmu, exit.gva);
        return this.carryOut(STEP_NO_INTERCEPT);
      case EXIT_CR_READ:
      case EXIT_CPUID:
      case EXIT_RDMSR:
        return this.carryOut(STEP_NO_INTERCEPT);
      case EXIT_EXTERNAL_INTERRUPT:
        mmu.count[C.irq_exits]!++;
        cpu.inject(exit.value, VECTORING_EXTERNAL, -1); // acknowledged on exit
        return KVM_CONTINUE;
      case EXIT_OUTSIDE:
        this.heavy = true;
        mmu.count[C.signal_exits]!++;
        return KVM_CONTINUE;
      case EXIT_TASK_SWITCH:
        return this.taskSwitch();
      case EXIT_TRIPLE_FAULT:
        this.heavy = true;
        return KVM_SHUTDOWN;
      default:
        mmu.found(FINDING_NO_PROGRESS, exit.reason, 0, `unknown exit reason ${exit.reason}`);
        return KVM_FINDING;
    }
  }

  /** The exit of something from outside: counted, and under vmx the TLB is flushed. */
  outside(): void {
    const mmu = this.mmu;
    mmu.count[C.exits]!++;
    mmu.count[C.signal_exits]!++;
    if (mmu.trace.on) mmu.trace.emit(EV_EXIT, EXIT_OUTSIDE, 0, 0);
    if (!mmu.svm) mmu.cpu.paging.flush(FLUSH_EXIT, false);
  }

  // ---- page faults (5.1) ----

  private pageFault(): number {
    const mmu = this.mmu;
    const cpu = mmu.cpu;
    const { gva, error } = cpu.exit;
    this.countProgress();
    reclaimIfLow(mmu);
    mmu.mustEmulate = -1;
    const what = mmu.policy.pageFault(mmu, gva, error);
    if (what === FAULT_GUEST) {
      // A fault of a delivery that faults again and again (as it was, 5.8) is no progress.
      if (cpu.exit.vectoringType === VECTORING_NONE) this.progressed();
      else if (mmu.stuckCount >= LOST) return this.lost(gva);
      return injectPageFault(mmu, gva, mmu.walker.error) ? KVM_SHUTDOWN : KVM_CONTINUE;
    }
    if (what === FAULT_EMULATE || what === FAULT_MMIO) return this.emulate(gva, what === FAULT_MMIO);
    if (mmu.mustEmulate >= 0) {
      // A guard zapped the same page a second time for this instruction.
      mmu.guard(mmu.mustEmulate, gva, 1);
      return this.emulate(gva, false);
    }
    if (mmu.stuckCount >= STUCK && mmu.guarded[H_WP_TRICK]) {
      mmu.guard(H_WP_TRICK, gva, mmu.stuckCount);
      return this.emulate(gva, false);
    }
    if (mmu.stuckCount >= LOST && what === FAULT_FIXED) return this.lost(gva);
    return KVM_CONTINUE;
  }

  private lost(gva: number): number {
    const mmu = this.mmu;
    mmu.found(
      FINDING_NO_PROGRESS,
      gva,
      mmu.stuckCount,
      `the instruction does not retire: page fault after page fault at ${hex(gva)}`,
    );
    this.progressed();
    return KVM_FINDING;
  }

  /** Counts exits for one unretired instruction or delivery. */
  private countProgress(): void {
    const mmu = this.mmu;
    const cpu = mmu.cpu;
    if (mmu.stuckRetired === cpu.retired && mmu.stuckIp === cpu.linearIp) {
      mmu.stuckCount++;
      return;
    }
    this.progressed();
    mmu.stuckRetired = cpu.retired;
    mmu.stuckIp = cpu.linearIp;
  }

  private progressed(): void {
    this.mmu.stuckRetired = -1;
    this.mmu.stuckCount = 0;
    this.mmu.zappedCount = 0;
    this.mmu.mustEmulate = -1;
  }

  // ---- emulation ----

  /** Runs the instruction, or the delivery, on the emulator. `gva`: CR2 of the fault. */
  private emulate(gva: number, mmio: boolean, behind = false): number {
    const mmu = this.mmu;
    const cpu = mmu.cpu;
    if (cpu.exit.storeFrom >= 0 && !mmio && !behind && this.storePlainly()) return KVM_CONTINUE;
    const vectoring = cpu.exit.vectoringType;
    const vector = cpu.exit.vectoringVector;
    const vectoringError = cpu.exit.vectoringError;
    if (vectoring === VECTORING_NONE && this.refuses.length > 0 && this.refuses.includes(this.opcode()))
      return this.refuse(gva);
    let again = false;
    if (vectoring !== VECTORING_NONE) {
      if (mmu.guarded[H_DELIVERY_INTO_TABLE]) {
        mmu.guard(H_DELIVERY_INTO_TABLE, gva, vector);
      } else {
        // The instruction at EIP is emulated; an external interrupt is asked for again, anything else is lost (5.1).
        cpu.cancelInjection();
        again = vectoring === VECTORING_EXTERNAL;
      }
    }
    const { cr0, cr3, cr4, efer } = cpu;
    const emulator = this.emulator;
    emulator.begin();
    const writes = mmu.count[C.mmu_pte_write]!;
    // INS: the reference stores its bytes as the host (7.5), wherever the processor noticed the table first.
    emulator.behind =
      behind ||
      (mmu.guarded[H_PIO_STRING_INPUT] === 0 && vectoring === VECTORING_NONE && isInput(this.opcode()));
    const code = cpu.step(STEP_EMULATE | STEP_NO_INTERCEPT);
    emulator.behind = false;
    const opcode = vectoring === VECTORING_NONE ? cpu.emulatedOpcode : -1;
    if (isInput(opcode) && mmu.count[C.mmu_pte_write]! > writes) mmu.guard(H_PIO_STRING_INPUT, gva, 0);
    if (again) cpu.inject(vector, VECTORING_EXTERNAL, vectoringError);
    if (emulator.newCr3) resetContext(mmu);
    else if (((cpu.cr0 ^ cr0) & ~CR0_TS) !== 0 || cpu.cr3 !== cr3 || cpu.cr4 !== cr4 || cpu.efer !== efer)
      this.controlsChanged(efer);
    // An emulated MOV to a control register leaves the guest's PDPTEs in the unit; no one-byte opcode does.
    else if ((opcode < 0 || opcode > 0xff) && mmu.rootHpa !== INVALID_ROOT)
      cpu.paging.loadPdptes(mmu.rootHpa);
    // An INVLPG that was emulated for another reason: its address is not known here, all is brought in step.
    if (opcode === OPCODE_0F01 && mmu.policy.invlpg !== null) resetContext(mmu);
    if (emulator.mmio || mmio) {
      mmu.count[C.mmio_exits]!++;
      this.heavy = true;
    }
    const result = emulator.faulted ? EMU_FAULT : emulator.mmio || mmio ? EMU_MMIO : EMU_DONE;
    const answer = this.afterStep(code);
    if (mmu.trace.on) {
      mmu.trace.emit(EV_EMULATE, gva, answer === KVM_UNIMPLEMENTED ? EMU_FAILED : result);
    }
    if (code === RUN_RETIRED || code === RUN_FAULTED || code === RUN_HALTED) this.progressed();
    else if (code === RUN_EXIT) {
      mmu.found(
        FINDING_NO_PROGRESS,
        gva,
        code,
        `an emulated instruction at ${hex(cpu.linearIp)} did not retire`,
      );
    }
    return answer;
  }

  /**
   * What emulation comes to nearly always: the processor says that the instruction is a mere store, the emulator's walks
   * (the fetch, the store) leave no mark and find the bytes that the processor decoded. False: not so, and nothing was done.
   */
  private storePlainly(): boolean {
    const mmu = this.mmu;
    const { cpu, slots } = mmu;
    const { gva, storeFrom, value } = cpu.exit;
    if (mmu.trace.on || this.refuses.length > 0) return false;
    const w = mmu.walker2;
    const user = cpu.cpl === 3 ? ACCESS_USER : 0;
    if (!walkPlain(mmu, w, cpu.linearIp, ACCESS_FETCH | user, 0) || slots.hfnOf(w.gfn) !== storeFrom)
      return false;
    if (!walkPlain(mmu, w, gva, ACCESS_WRITE | user, WALK_SET_DIRTY) || slots.hfnOf(w.gfn) < 0) return false;
    emulatorWritePhys(mmu, w.gfn, gva & 0xfff, 4, value, 0);
    cpu.complete();
    this.progressed();
    return true;
  }

  /**
   * A task switch, by an instruction or by the event that is being delivered: it is carried out on the emulator, whose
   * accesses walk the guest's tables (old and new) and exit no more.
   */
  private taskSwitch(): number {
    const mmu = this.mmu;
    const cpu = mmu.cpu;
    this.heavy = true;
    this.emulator.begin();
    const code = cpu.step(STEP_EMULATE | STEP_NO_INTERCEPT);
    // Its PDPTEs are there; CR0.TS, which a switch sets, means nothing to the shadow.
    if (this.emulator.newCr3) resetContext(mmu);
    const answer = this.afterStep(code);
    const result = this.emulator.faulted ? EMU_FAULT : this.emulator.mmio ? EMU_MMIO : EMU_DONE;
    if (mmu.trace.on) mmu.trace.emit(EV_EMULATE, cpu.linearIp, result);
    return answer;
  }

  /** An instruction that is otherwise intercepted was emulated and changed a control register. */
  private controlsChanged(oldEfer: number): void {
    const mmu = this.mmu;
    const pae = (mmu.cpu.cr0 & CR0_PG) !== 0 && (mmu.cpu.cr4 & CR4_PAE) !== 0;
    if (pae) loadPdptrs(mmu, mmu.cpu.cr3);
    if (((oldEfer ^ mmu.cpu.efer) & EFER_NXE) !== 0) eferChanged(mmu, oldEfer);
    else resetContext(mmu);
  }

  /** Runs the intercepted instruction as the processor does, in the hypervisor's place. */
  private carryOut(mode: number): number {
    return this.afterStep(this.mmu.cpu.step(mode));
  }

  private afterStep(code: number): number {
    const disposition = dispositionOf(code);
    return disposition === ANOTHER_EXIT ? this.dispatch() : disposition;
  }

  /** Opcode at EIP behind its prefixes (0x0f00 | second byte for two-byte ones), or -1. Peeks. */
  private opcode(): number {
    let at = this.mmu.cpu.linearIp;
    for (let i = 0; i < 14; i++) {
      const byte = this.peekByte(at);
      at = (at + 1) | 0;
      if (byte >= 0 && PREFIXES.has(byte)) continue;
      return byte === 0x0f ? 0x0f00 | this.peekByte(at) : byte;
    }
    return -1;
  }

  private peekByte(la: number): number {
    const mmu = this.mmu;
    if (!walkGuest(mmu, mmu.walker2, la, 0, WALK_PEEK | WALK_MANUAL)) return -1;
    const hfn = mmu.slots.hfnOf(mmu.walker2.frame);
    return hfn < 0 ? 0xff : mmu.memory.bytes[hfn * 4096 + (la & 0xfff)]!;
  }

  /** The emulator failed (7.6): shadows of the gfn go and the guest tries again; when there were none, a finding. */
  private refuse(gva: number): number {
    const mmu = this.mmu;
    let zapped = 0;
    if (walkGuest(mmu, mmu.walker2, gva, 0, 0)) zapped = unprotectPage(mmu, mmu.walker2.gfn);
    if (mmu.trace.on) mmu.trace.emit(EV_EMULATE, gva, zapped > 0 ? EMU_UNPROTECTED : EMU_FAILED);
    if (zapped > 0) return KVM_CONTINUE;
    mmu.found(
      FINDING_NO_PROGRESS,
      gva,
      0,
      `the emulator refused the instruction at ${hex(mmu.cpu.linearIp)} and no shadow page could be unprotected (7.6)`,
    );
    return KVM_FINDING;
  }

  // ---- intercepted instructions ----

  private halt(): number {
    const code = this.mmu.cpu.step(STEP_NO_INTERCEPT);
    return code === RUN_RETIRED ? KVM_HALTED : this.afterStep(code);
  }

  private crWrite(): number {
    const mmu = this.mmu;
    const { cr, value } = mmu.cpu.exit;
    let done: boolean;
    if (cr === 0) done = setCr0(mmu, value);
    else if (cr === 3) done = setCr3(mmu, value);
    else if (cr === 4) done = setCr4(mmu, value);
    else return this.carryOut(STEP_NO_INTERCEPT);
    if (done) mmu.cpu.complete();
    return KVM_CONTINUE;
  }

  private wrmsr(): number {
    const mmu = this.mmu;
    const cpu = mmu.cpu;
    const old = cpu.efer;
    const answer = this.carryOut(STEP_NO_INTERCEPT);
    if (cpu.efer !== old) eferChanged(mmu, old);
    return answer;
  }

  private io(): number {
    const mmu = this.mmu;
    const cpu = mmu.cpu;
    this.heavy = true;
    mmu.count[C.io_exits]!++;
    if (!mmu.guarded[H_PIO_STRING_INPUT]) {
      // The buffer is written as the host, behind the shadow's back (7.5).
      return this.emulate(cpu.linearIp, false, true);
    }
    return this.carryOut(STEP_NO_INTERCEPT);
  }
}

const OPCODE_INS = 0x6c;
const isInput = (opcode: number): boolean => (opcode & ~1) === OPCODE_INS;
const OPCODE_0F01 = 0x0f01;

const PREFIXES: ReadonlySet<number> = new Set([
  0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3,
]);

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;
