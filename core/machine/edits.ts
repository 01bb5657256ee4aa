/**
 * Writes from outside, as the house says: one cell is one store. As the guest it is a made-up store that goes through
 * the TLB, the shadow and KVM like an instruction's; as the emulator KVM is told; as a device (DMA) it is not; raw
 * bytes go to host memory whatever lies there.
 */
import { FRAME_CODE, PAGE_SIZE } from "../memory/host-memory.ts";
import { EDIT_AS, EV_EDIT, EV_SPTE_SET, SPTE_RAW_EDIT } from "../trace/events.ts";
import { linearCheck, linearWrite } from "../x86/access.ts";
import { ACCESS_USER, ACCESS_WRITE } from "../x86/door.ts";
import type { Edit, EditAs, EditSpace } from "./inputs.ts";
import { type Machine, MachineError } from "./machine.ts";
import { answerMadeUpStore } from "./made-up-store.ts";
import { errorWords, walkGuest } from "./peek/guest-walk.ts";

export type EditOutcome =
  | {
      readonly ok: true;
      readonly exits: number;
      readonly written: number;
      /** What a made-up read or fetch got, as unsigned words. */
      readonly value?: { readonly low: number; readonly high: number };
    }
  | {
      readonly ok: false;
      readonly fault: {
        readonly gva: number;
        readonly error: number;
        readonly text: string;
        /** 13 for a refused control register; absent: a page fault. */
        readonly vector?: number;
      };
    };

const SPACES: readonly EditSpace[] = ["gva", "gpa", "hpa"];
const AS: readonly EditAs[] = ["guest0", "guest3", "emulator", "device", "raw"];
const ALLOWED: Readonly<Record<EditSpace, readonly EditAs[]>> = {
  gva: ["guest0", "guest3", "emulator"],
  gpa: ["emulator", "device"],
  hpa: ["raw"],
};
const LIMITS: Readonly<Record<EditSpace, number>> = { gva: 2 ** 32, gpa: 2 ** 36, hpa: 2 ** 31 };
/** A made-up store or access that is not done after this many exits makes no progress. */
export const TRIES = 16;

/** The sentence that says why an edit makes no sense, or null. Nothing is changed. */
export function checkEdit(machine: Machine, edit: Edit): string | null {
  if (!ALLOWED[edit.space].includes(edit.as)) {
    return `${edit.space} is written as ${ALLOWED[edit.space].join(", ")}, not as ${edit.as}`;
  }
  if (edit.address + edit.size > LIMITS[edit.space]) {
    return `the cell ends behind ${edit.space} space`;
  }
  if (edit.space === "gpa" || edit.as === "emulator") {
    for (const cell of [edit.address, edit.address + edit.size - 1]) {
      const at = edit.space === "gpa" ? cell : machine.translate(cell);
      // What the guest does not map is answered as a fault, not refused.
      if (at >= 0 && machine.slots.hfnOf(Math.floor(at / PAGE_SIZE)) < 0)
        return `there is no memory at gpa 0x${at.toString(16)}`;
    }
  }
  if (edit.space === "hpa" && edit.address + edit.size > machine.memory.frames * PAGE_SIZE) {
    return `host memory ends at 0x${(machine.memory.frames * PAGE_SIZE).toString(16)}`;
  }
  return null;
}

/** Carries an edit out at a boundary; the caller has checked it and told the hypervisor of the exit. */
export function applyEdit(machine: Machine, edit: Edit): EditOutcome {
  const { trace } = machine;
  if (trace.on) {
    const { address, size, low, high } = edit;
    trace.emit(
      EV_EDIT,
      SPACES.indexOf(edit.space),
      AS.indexOf(edit.as) % EDIT_AS.length,
      address,
      Math.floor(address / 2 ** 32),
      size,
      low,
      size === 8 ? high : 0,
    );
  }
  switch (edit.as) {
    case "guest0":
    case "guest3":
      return storeAsGuest(machine, edit, edit.as === "guest3" ? ACCESS_USER : 0);
    case "emulator":
      return edit.space === "gva"
        ? emulateAtLinear(machine, edit)
        : emulatePhysical(machine, edit.address, edit);
    case "device":
      writePhysical(machine, edit.address, cellBytes(edit));
      return { ok: true, exits: 0, written: edit.size };
    case "raw":
      writeRaw(machine, edit.address, cellBytes(edit));
      return { ok: true, exits: 0, written: edit.size };
  }
}

/** The cell's bytes, little-endian. */
export function cellBytes(edit: { size: number; low: number; high: number }): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, edit.low, true);
  view.setUint32(4, edit.high, true);
  return bytes.slice(0, edit.size);
}

/**
 * A store as an instruction of the guest would make it, at the same boundary again until it is done: shadow faults
 * are the hypervisor's to answer, a fault of the guest's own is told and not delivered.
 */
function storeAsGuest(machine: Machine, edit: Edit, user: number): EditOutcome {
  const { cpu } = machine;
  const la = edit.address | 0;
  for (let tries = 0; tries < TRIES; tries++) {
    cpu.faulted = false;
    cpu.stopCode = -1;
    if (linearCheck(cpu, la, edit.size, user | ACCESS_WRITE)) {
      if (edit.size === 8) {
        linearWrite(cpu, la, 4, edit.low | 0, user);
        if (!cpu.faulted) linearWrite(cpu, (la + 4) | 0, 4, edit.high | 0, user);
      } else linearWrite(cpu, la, edit.size, edit.low | 0, user);
      if (!cpu.faulted) return { ok: true, exits: tries, written: edit.size };
    }
    const exited = cpu.stopCode >= 0;
    cpu.faulted = false;
    cpu.stopCode = -1;
    if (!exited) return refused(machine, cpu.excAddress, cpu.excError);
    machine.exits++;
    const store = { la, size: edit.size, low: edit.low, high: edit.high, user };
    const outcome = answerMadeUpStore(machine.nested ?? machine.hypervisor(), cpu, store);
    noteFinding(machine);
    if (outcome.kind === "guest-fault") return refused(machine, outcome.gva, outcome.error);
    if (outcome.kind === "done") return { ok: true, exits: tries + 1, written: edit.size };
  }
  throw new MachineError(`the store is not done after ${TRIES} exits: the hypervisor makes no progress`);
}

/** An assertion of the simulated KVM that a made-up access met. */
export function noteFinding(machine: Machine): void {
  const finding = machine.kvm?.finding ?? null;
  if (finding !== null) machine.watch.note(finding);
}

/** What the guest's tables say against an access, as the edit's answer: in the words that a walk uses. */
export function refused(machine: Machine, gva: number, error: number, fetch = false): EditOutcome {
  const user = (error & ACCESS_USER) !== 0;
  const access = { write: (error & ACCESS_WRITE) !== 0, user, fetch };
  const walk = walkGuest(machine, machine.guestPaging(), gva >>> 0, access);
  // The tables may have changed between the fault and now only by its own A bits: the walk says the same.
  const text = walk.error === error && !walk.ok ? walk.text : `refused (error ${errorWords(error)})`;
  return { ok: false, fault: { gva: gva >>> 0, error, text } };
}

/** As the emulator, at a linear address: translated as gva_to_gpa does, page by page. */
function emulateAtLinear(machine: Machine, edit: Edit): EditOutcome {
  const first = machine.translate(edit.address);
  if (first < 0) return refused(machine, edit.address, 0);
  const within = PAGE_SIZE - (edit.address % PAGE_SIZE);
  if (edit.size <= within) return emulatePhysical(machine, first, edit);
  const last = machine.translate((edit.address + within) % 2 ** 32);
  if (last < 0) return refused(machine, (edit.address + within) >>> 0, 0);
  const bytes = cellBytes(edit);
  for (let i = 0; i < edit.size; i++) {
    const gpa = i < within ? first + i : last + i - within;
    emulatePhysical(machine, gpa, { size: 1, low: bytes[i]!, high: 0 });
  }
  return { ok: true, exits: 0, written: edit.size };
}

/** emulator_write_phys; on the bare machine, where nobody has to be told, a plain store. */
function emulatePhysical(
  machine: Machine,
  gpa: number,
  cell: { size: number; low: number; high: number },
): EditOutcome {
  if (machine.kvm === null) writePhysical(machine, gpa, cellBytes(cell));
  else if ((gpa % PAGE_SIZE) + cell.size <= PAGE_SIZE) {
    machine.kvm.emulatorWritePhys(gpa, cell.size, cell.low | 0, cell.high | 0);
  } else {
    cellBytes(cell).forEach((byte, i) => {
      machine.kvm!.emulatorWritePhys(gpa + i, 1, byte, 0);
    });
  }
  return { ok: true, exits: 0, written: cell.size };
}

/** Why a debugger's write makes no sense, or null. */
export function checkPoke(machine: Machine, gpa: number, length: number): string | null {
  for (let at = gpa - (gpa % PAGE_SIZE); at < gpa + length; at += PAGE_SIZE) {
    if (machine.slots.hfnOf(at / PAGE_SIZE) < 0) return `there is no memory at gpa 0x${at.toString(16)}`;
  }
  return null;
}

/** Stores bytes as the emulator, each cell of the size of a table entry whole, so that KVM sees entries as a guest writes them. */
export function poke(machine: Machine, gpa: number, bytes: Uint8Array): void {
  tellPoke(machine, gpa, bytes);
  const entry = machine.guestPaging().mode === "PAE" ? 8 : 4;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let done = 0; done < bytes.length; ) {
    const at = gpa + done;
    let size = entry;
    while (size > 1 && (at % size !== 0 || done + size > bytes.length)) size /= 2;
    let low: number;
    if (size >= 4) low = view.getUint32(done, true);
    else low = size === 2 ? view.getUint16(done, true) : bytes[done]!;
    emulatePhysical(machine, at, { size, low, high: size === 8 ? view.getUint32(done + 4, true) : 0 });
    done += size;
  }
}

function tellPoke(machine: Machine, gpa: number, bytes: Uint8Array): void {
  if (!machine.trace.on) return;
  const first = new DataView(new ArrayBuffer(8));
  bytes.subarray(0, 8).forEach((byte, i) => {
    first.setUint8(i, byte);
  });
  const high = Math.floor(gpa / 2 ** 32);
  const value = [first.getUint32(0, true), first.getUint32(4, true)] as const;
  machine.trace.emit(
    EV_EDIT,
    SPACES.indexOf("gpa"),
    AS.indexOf("emulator"),
    gpa,
    high,
    bytes.length,
    ...value,
  );
}

/** Stores bytes at a guest-physical address as a device does; where there is no memory they are dropped. */
export function writePhysical(machine: Machine, gpa: number, bytes: Uint8Array): void {
  const { memory, slots } = machine;
  for (let done = 0; done < bytes.length; ) {
    const at = gpa + done;
    const length = Math.min(bytes.length - done, PAGE_SIZE - (at % PAGE_SIZE));
    const gfn = Math.floor(at / PAGE_SIZE);
    const hfn = slots.hfnOf(gfn);
    if (hfn >= 0) {
      memory.bytes.set(bytes.subarray(done, done + length), hfn * PAGE_SIZE + (at % PAGE_SIZE));
      slots.markDirty(gfn);
      stored(machine, hfn);
      machine.kvm?.mmu.touched?.store(hfn, at % PAGE_SIZE, length);
    }
    done += length;
  }
}

/** Book-keeping after a store into host memory that went past the processor. */
function stored(machine: Machine, hfn: number): void {
  machine.memory.touch(hfn);
  if ((machine.memory.flags[hfn]! & FRAME_CODE) !== 0) machine.cpu.codeChanged(hfn);
}

/** Stores at a host-physical address: nobody is told, but an spte that changes is told as an event. */
function writeRaw(machine: Machine, hpa: number, bytes: Uint8Array): void {
  const { memory, trace } = machine;
  const first = Math.floor(hpa / 8);
  const last = Math.floor((hpa + bytes.length - 1) / 8);
  const old: number[] = [];
  for (let cell = first; cell <= last; cell++) old.push(memory.u32[cell * 2]!, memory.u32[cell * 2 + 1]!);
  for (let i = 0; i < bytes.length; i++) {
    memory.bytes[hpa + i] = bytes[i]!;
    stored(machine, (hpa + i) >>> 12);
  }
  machine.kvm?.mmu.touched?.host(hpa, bytes.length);
  if (!trace.on) return;
  for (let cell = first; cell <= last; cell++) {
    const at = cell * 8;
    if (!machine.isShadowFrame(at >>> 12)) continue;
    const o = (cell - first) * 2;
    const low = memory.u32[cell * 2]!;
    const high = memory.u32[cell * 2 + 1]!;
    trace.emit(EV_SPTE_SET, at & ~0xfff, (at & 0xfff) >> 3, old[o]!, old[o + 1]!, low, high, SPTE_RAW_EDIT);
  }
}
