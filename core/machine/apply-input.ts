/**
 * What each kind of input does to the machine, and which make no sense. `Machine.input` checks, logs and applies.
 */
import { HAZARDS } from "../kvm/index.ts";
import { EV_EDIT, EV_INPUT } from "../trace/events.ts";
import { VECTORING_HARDWARE_EXCEPTION } from "../x86/door.ts";
import { checkControl, invalidate, writeControl } from "./controls.ts";
import { applyEdit, checkEdit, checkPoke, type EditOutcome, poke, writePhysical } from "./edits.ts";
import type { Input } from "./inputs.ts";
import type { Machine } from "./machine.ts";
import { accessAsGuest, checkAccess } from "./made-up-access.ts";
import { checkRegister, writeRegister } from "./register-edits.ts";
import { POLICY_IDS, WALK_CACHE_MOST } from "./setup.ts";

const DONE: EditOutcome = { ok: true, exits: 0, written: 0 };
const PF = 14;
/** `kind` of the `input` event. */
const INPUT_SERIAL = 0;
const INPUT_INTERRUPT = 1;
const INPUT_ACCESS = 2;
const INPUT_KEY = 3;
/** `as` of the `edit` event. */
const EDIT_DEVICE = 3;

/** The sentence that says why an input makes no sense, or null. Nothing is changed. */
export function refuseInput(machine: Machine, input: Input): string | null {
  if (machine.over) return `the machine is over (${machine.stop.reason}): reset it first`;
  switch (input.kind) {
    case "edit":
      return checkEdit(machine, input);
    case "policy":
      return POLICY_IDS.includes(input.policy)
        ? null
        : `there is no policy ${input.policy}; there are ${POLICY_IDS.join(", ")}`;
    case "hazard":
      return HAZARDS.some((h) => h.id === input.hazard) ? null : `there is no hazard ${input.hazard}`;
    case "nested":
      return Number.isInteger(input.walkCache) && input.walkCache >= 0 && input.walkCache <= WALK_CACHE_MOST
        ? null
        : `a page-walk cache has 0 to ${WALK_CACHE_MOST} entries`;
    case "fault":
      return machine.cpu.pendingVector >= 0 ? "another event is being delivered: step once first" : null;
    case "interrupt":
      return input.vector >= 0 && input.vector <= 255 ? null : "an interrupt vector is 0 to 255";
    case "access":
      return checkAccess(input);
    case "poke":
      return checkPoke(machine, input.gpa, input.bytes.length);
    case "register":
      return checkRegister(machine, input.register, input.bytes);
    case "control":
    case "invlpg":
      return checkControl(machine);
    case "keys":
      return machine.pc === null ? "a bare machine has no keyboard: only a pc has one" : null;
    default:
      return null;
  }
}

/** Applies an input at the boundary at which the machine stands. */
export function applyInput(machine: Machine, input: Input): EditOutcome {
  const { kvm, nested, trace } = machine;
  // Whatever comes from outside makes the processor leave the guest first.
  const hypervisor = kvm ?? nested;
  if (hypervisor !== null) {
    machine.exits++;
    hypervisor.outsideExit();
  }
  switch (input.kind) {
    case "serial":
      for (const byte of input.bytes) if (trace.on) trace.emit(EV_INPUT, INPUT_SERIAL, byte);
      machine.serial.receive(input.bytes);
      return DONE;
    case "keys":
      for (const code of input.codes) if (trace.on) trace.emit(EV_INPUT, INPUT_KEY, code);
      for (const key of keysOf(input.codes)) machine.pc?.board.keyboard.key(key);
      return DONE;
    case "interrupt":
      if (trace.on) trace.emit(EV_INPUT, INPUT_INTERRUPT, input.vector);
      machine.raise(input.vector);
      return DONE;
    case "edit":
      return applyEdit(machine, input);
    case "dma":
      dma(machine, input.gpa, input.bytes);
      return { ok: true, exits: 0, written: input.bytes.length };
    case "poke":
      poke(machine, input.gpa, input.bytes);
      return { ok: true, exits: 0, written: input.bytes.length };
    case "register":
      writeRegister(machine, input.register, input.bytes);
      return DONE;
    case "fault":
      machine.cpu.cr2 = input.gva | 0;
      machine.cpu.inject(PF, VECTORING_HARDWARE_EXCEPTION, input.error);
      return DONE;
    case "policy":
      machine.inCharge.change(input.policy);
      return DONE;
    case "hazard": {
      const { setup } = machine;
      machine.setup = { ...setup, hazards: { ...setup.hazards, [input.hazard]: input.setting } };
      kvm?.setHazard(input.hazard, input.setting);
      return DONE;
    }
    case "tlb":
      machine.setup = { ...machine.setup, tlb: input.tlb };
      hypervisor?.setTlb(input.tlb);
      return DONE;
    case "nested":
      machine.setup = { ...machine.setup, nestedLevels: input.levels, walkCache: input.walkCache };
      nested?.configure(input.levels, input.walkCache);
      return DONE;
    case "unimplemented":
      machine.setup = { ...machine.setup, unimplemented: input.unimplemented };
      machine.cpu.unimplementedIsUd = input.unimplemented === "ud";
      return DONE;
    case "access":
      if (trace.on) trace.emit(EV_INPUT, INPUT_ACCESS, input.gva);
      return accessAsGuest(machine, input);
    case "control":
      return writeControl(machine, input.register, input.value);
    case "invlpg":
      invalidate(machine, input.gva);
      return DONE;
  }
}

/** Splits scan codes into keys: a prefix belongs to the code behind it (0xe1 to two). */
function keysOf(codes: Uint8Array): number[][] {
  const keys: number[][] = [];
  for (let i = 0; i < codes.length; ) {
    const length = codes[i] === 0xe1 ? 3 : codes[i] === 0xe0 ? 2 : 1;
    keys.push([...codes.subarray(i, i + length)]);
    i += length;
  }
  return keys;
}

function dma(machine: Machine, gpa: number, bytes: Uint8Array): void {
  writePhysical(machine, gpa, bytes);
  if (!machine.trace.on) return;
  const first = new DataView(new ArrayBuffer(8));
  bytes.subarray(0, 8).forEach((byte, i) => {
    first.setUint8(i, byte);
  });
  const high = Math.floor(gpa / 2 ** 32);
  const value = [first.getUint32(0, true), first.getUint32(4, true)] as const;
  machine.trace.emit(EV_EDIT, 1, EDIT_DEVICE, gpa, high, bytes.length, ...value);
}
