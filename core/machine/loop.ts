/**
 * The loop that runs a machine: the processor until something happens, the exit to the hypervisor, the devices when they
 * are due, time over what is halted, and whatever the machine should stop at.
 */
import { ATT_YIELD } from "../x86/attention.ts";
import {
  RUN_BREAK,
  RUN_BUDGET,
  RUN_EXIT,
  RUN_HALTED,
  RUN_RETIRED,
  RUN_SHUTDOWN,
  RUN_UNIMPLEMENTED,
  STEP_NORMAL,
} from "../x86/door.ts";
import { WATCH_WRITE } from "../x86/watchpoints.ts";
import type { Machine } from "./machine.ts";
import type { Pc } from "./pc.ts";
import type { StopReason } from "./setup.ts";

export class Loop {
  private eventsSeen = 0;
  /** What the hypervisor said to an exit that was answered within a run of the processor. */
  private disposition = RUN_RETIRED;

  constructor(private readonly machine: Machine) {}

  /**
   * Runs until the time is `goal`, in units, or something stops the machine: `Machine.stop` then says what.
   * @param reach the time, in units and not before `goal`, to which the time of a halted PC may jump
   * @returns true when the goal is reached and nothing else happened
   */
  run(goal: number, reach: number): boolean {
    const { machine } = this;
    const { cpu, watch } = machine;
    this.eventsSeen = machine.trace.count;
    watch.prepare();
    const { deliveries, deliveriesAt } = cpu;
    // What an input broke stops the machine before anything runs.
    const broken = watch.take();
    if (broken !== null) return this.halt("finding", broken);
    // With nobody to look at each boundary, the guest goes on where its exit was answered.
    cpu.answer = watch.looks || machine.stopAtEvents !== null ? null : this.answer;
    const board = machine.pc?.board ?? null;
    machine.idled = 0;
    while (cpu.time < goal) {
      let limit = goal;
      if (board !== null) {
        cpu.resume();
        if (board.due <= cpu.time) board.advance(cpu.time);
        limit = Math.min(goal, board.due);
      }
      const stepwise = watch.stepwise || machine.stopAtEvents !== null || machine.stopAtDelivery;
      if (stepwise && this.atBreakpoint()) return this.halt("breakpoint", hex(cpu.eip));
      if (stepwise) watch.begin(cpu.eip >>> 0);
      const code = stepwise ? cpu.step(STEP_NORMAL) : cpu.run(limit - cpu.time);
      const disposition =
        code !== RUN_EXIT ? code : cpu.answered ? this.disposition : machine.inCharge.handleExit();
      cpu.answered = false;
      watch.behindBoundary(code === RUN_EXIT);
      if (disposition === RUN_HALTED) {
        if (this.canWake()) continue;
        if (machine.pc?.resetWanted !== true) {
          if (!this.jump(reach)) return this.standStill();
          if (machine.idled >= machine.patience) return true;
          continue;
        }
      }
      if (disposition === RUN_SHUTDOWN && !machine.tripleFault()) {
        return machine.end("triple-fault", `at ${hex(cpu.eip)}`);
      }
      if (machine.pc !== null && !this.heedBoard(machine.pc)) return false;
      if (disposition === RUN_UNIMPLEMENTED) return this.halt("unimplemented", this.describeUnimplemented());
      if (disposition === RUN_BREAK) return this.halt("breakpoint", hex(cpu.eip));
      const finding = watch.take();
      if (finding !== null) return this.halt("finding", finding);
      if (cpu.watchpoints !== null && this.touchedWatched()) return false;
      if (this.sawEvent()) return this.halt("event", "");
      if (machine.stopAtDelivery && (deliveries !== cpu.deliveries || deliveriesAt !== cpu.deliveriesAt))
        return this.halt("step", "at the first instruction of a handler");
      if (code === RUN_BUDGET && cpu.time < limit && !stepwise)
        throw new Error("the processor came back early");
    }
    // The budget's last unit may have been a HLT: that is how it stopped, under every policy.
    if (!cpu.halted || this.canWake() || (board !== null && machine.waiting && board.due < Infinity))
      return true;
    return this.standStill();
  }

  /** One boundary further: a unit, a delivery or an exit. */
  stepBoundary(): void {
    const { machine } = this;
    const { cpu, watch } = machine;
    const board = machine.pc?.board;
    cpu.resume();
    if (board !== undefined && board.due <= cpu.time) board.advance(cpu.time);
    watch.prepare();
    watch.begin(cpu.eip >>> 0);
    const code = cpu.step(STEP_NORMAL);
    if (code === RUN_EXIT) machine.inCharge.handleExit();
    watch.behindBoundary(code === RUN_EXIT);
    if (machine.pc !== null) this.heedBoard(machine.pc);
  }

  /** Cpu.answer. */
  private readonly answer = (): boolean => {
    const { machine } = this;
    this.disposition = machine.inCharge.handleExit();
    // A device may have asked for the boundary.
    return (
      this.disposition === RUN_RETIRED && !machine.watch.stops && (machine.cpu.attention & ATT_YIELD) === 0
    );
  };

  /** A halted PC: time jumps to what a device does next, or to `reach`. False: no device will ever wake it. */
  private jump(reach: number): boolean {
    const { machine } = this;
    const { cpu, pc } = machine;
    if (pc === null || !machine.waiting || pc.board.due === Infinity) return false;
    const units = Math.min(reach, pc.board.due) - cpu.time;
    if (units > 0) {
      cpu.jumps += units;
      machine.idled += units;
    }
    return true;
  }

  /** What the board asks for between two instructions. False: the machine stops. */
  private heedBoard(pc: Pc): boolean {
    if (pc.resetWanted) this.machine.resetProcessor();
    if (pc.a20Moved) pc.moveA20();
    if (pc.exitCode < 0) return true;
    const code = pc.exitCode;
    pc.exitCode = -1;
    return this.halt("debug-exit", `the guest wrote ${code} to port 0xf4`);
  }

  /** Halted, and nothing that is there could wake it. */
  private standStill(): false {
    const waits = this.machine.waiting;
    return this.halt(
      "hlt",
      waits ? "halted with interrupts on: it waits for input" : "halted with interrupts off",
    );
  }

  /** A halted processor that an interrupt on the line would wake. */
  private canWake(): boolean {
    return this.machine.waiting && this.machine.cpu.interruptLine >= 0;
  }

  /** `Cpu.run` itself stops at breakpoints; unit by unit this does. */
  private atBreakpoint(): boolean {
    const { cpu } = this.machine;
    if (!cpu.breakpoints.includes(cpu.linearIp)) return false;
    if (cpu.brokeAtEip === cpu.eip && cpu.brokeAtRetired === cpu.retired) return false;
    cpu.brokeAtEip = cpu.eip;
    cpu.brokeAtRetired = cpu.retired;
    return true;
  }

  /** The accesses of the boundary in hand met a watchpoint: the machine stops behind it. */
  private touchedWatched(): boolean {
    const { cpu } = this.machine;
    const hit = cpu.watchpoints?.take(cpu) ?? null;
    if (hit === null) return false;
    this.halt("watchpoint", `a ${hit.access === WATCH_WRITE ? "write to" : "read of"} ${hex(hit.address)}`);
    return true;
  }

  private sawEvent(): boolean {
    const { stopAtEvents: kinds, trace } = this.machine;
    if (kinds === null) return false;
    for (; this.eventsSeen < trace.count; this.eventsSeen++) {
      if (kinds.has(trace.kindAt(this.eventsSeen))) {
        this.eventsSeen = trace.count;
        return true;
      }
    }
    return false;
  }

  private halt(reason: StopReason, detail: string): false {
    this.machine.stop = { reason, detail };
    return false;
  }

  private describeUnimplemented(): string {
    const { machine } = this;
    const { cpu, memory, slots } = machine;
    const bytes: string[] = [];
    for (let i = 0; i < 15; i++) {
      const gpa = machine.translate((cpu.linearIp + i) >>> 0);
      const hfn = gpa < 0 ? -1 : slots.hfnOf(Math.floor(gpa / 4096));
      if (hfn < 0) break;
      bytes.push(memory.bytes[hfn * 4096 + (gpa % 4096)]!.toString(16).padStart(2, "0"));
    }
    return `${cpu.unimplemented} at ${hex(cpu.eip)}, bytes ${bytes.join(" ")}`;
  }
}

export function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
