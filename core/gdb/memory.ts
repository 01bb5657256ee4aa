/**
 * Memory as gdb reads and writes it: by linear address through the guest's tables, or by guest-physical address. A
 * read is a peek: no A bit, no fault, no device notices. A write is an input of the machine, that KVM is told of.
 */
import type { Machine } from "../machine/machine.ts";

const PAGE = 4096;
const LINEAR_END = 2 ** 32;
const PHYSICAL_END = 2 ** 36;

/** Guest-physical address behind an address, with the bytes that follow it in its page; null where there is no memory. */
function locate(machine: Machine, address: number, physical: boolean): { gpa: number; room: number } | null {
  if (address >= (physical ? PHYSICAL_END : LINEAR_END)) return null;
  const gpa = physical ? address : machine.translate(address);
  if (gpa < 0 || machine.slots.hfnOf(Math.floor(gpa / PAGE)) < 0) return null;
  return { gpa, room: PAGE - (gpa % PAGE) };
}

/** At most `length` bytes from an address on: as many as there are in a row. */
export function readMemory(machine: Machine, address: number, length: number, physical: boolean): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const place = locate(machine, address + done, physical);
    if (place === null) break;
    const count = Math.min(place.room, length - done);
    const hfn = machine.slots.hfnOf(Math.floor(place.gpa / PAGE));
    const at = hfn * PAGE + (place.gpa % PAGE);
    bytes.set(machine.memory.bytes.subarray(at, at + count), done);
    done += count;
  }
  return bytes.subarray(0, done);
}

/**
 * Writes all bytes, or none when some of them have no memory (false). @throws MachineError with a sentence when the
 * machine takes no input
 */
export function writeMemory(
  machine: Machine,
  address: number,
  bytes: Uint8Array,
  physical: boolean,
): boolean {
  const pieces: { gpa: number; from: number; count: number }[] = [];
  for (let done = 0; done < bytes.length; ) {
    const place = locate(machine, address + done, physical);
    if (place === null) return false;
    const count = Math.min(place.room, bytes.length - done);
    pieces.push({ gpa: place.gpa, from: done, count });
    done += count;
  }
  for (const { gpa, from, count } of pieces) {
    machine.input({ kind: "poke", gpa, bytes: bytes.slice(from, from + count) });
  }
  return true;
}
