/**
 * Reads and fetches that no instruction makes: through TLB, shadow walk, exit and KVM as an instruction's own, at an
 * instruction boundary. A fault of the guest's own is told and not delivered.
 */
import { linearCheck, linearRead } from "../x86/access.ts";
import type { Cpu } from "../x86/cpu.ts";
import { ACCESS_FETCH, ACCESS_USER } from "../x86/door.ts";
import { type EditOutcome, noteFinding, refused, TRIES } from "./edits.ts";
import type { Input } from "./inputs.ts";
import { type Machine, MachineError } from "./machine.ts";
import { answerAccess } from "./made-up-store.ts";

export type MadeUpAccess = Extract<Input, { kind: "access" }>;

const PAGE = 4096;

/** Why an access makes no sense, or null. */
export function checkAccess({ access, gva, size }: MadeUpAccess): string | null {
  if (gva + size > 2 ** 32) return "the access ends behind guest-virtual space";
  return access === "fetch" && (gva % PAGE) + size > PAGE ? "a fetch stays within one page" : null;
}

export function accessAsGuest(machine: Machine, wanted: MadeUpAccess): EditOutcome {
  const { cpu } = machine;
  const la = wanted.gva | 0;
  const fetch = wanted.access === "fetch";
  const user = wanted.user ? ACCESS_USER : 0;
  const rights = user | (fetch ? ACCESS_FETCH : 0);
  for (let tries = 0; tries < TRIES; tries++) {
    cpu.faulted = false;
    cpu.stopCode = -1;
    if (linearCheck(cpu, la, wanted.size, rights)) {
      const value = fetch ? fetched(cpu, la, wanted.size, rights) : read(cpu, la, wanted.size, user);
      if (!cpu.faulted) return { ok: true, exits: tries, written: 0, value };
    }
    const exited = cpu.stopCode >= 0;
    cpu.faulted = false;
    cpu.stopCode = -1;
    if (!exited) return refused(machine, cpu.excAddress, cpu.excError, fetch);
    machine.exits++;
    const kvm = machine.nested ?? machine.hypervisor();
    let value = { low: 0, high: 0 };
    const answer = answerAccess(kvm, cpu, la, () => {
      const low = kvm.emulator.read(la, wanted.size, rights) >>> 0;
      value = { low, high: kvm.emulator.high >>> 0 };
    });
    noteFinding(machine);
    if (answer.kind === "guest-fault") return refused(machine, answer.gva, answer.error, fetch);
    if (answer.kind === "done") return { ok: true, exits: tries + 1, written: 0, value };
  }
  throw new MachineError(`the access is not done after ${TRIES} exits: the hypervisor makes no progress`);
}

function read(cpu: Cpu, la: number, size: number, user: number): { low: number; high: number } {
  const low = linearRead(cpu, la, Math.min(size, 4), user) >>> 0;
  const high = size === 8 && !cpu.faulted ? linearRead(cpu, (la + 4) | 0, 4, user) >>> 0 : 0;
  return { low, high };
}

/** The bytes that the fetch's own translation leads to. */
function fetched(cpu: Cpu, la: number, size: number, rights: number): { low: number; high: number } {
  const hfn = cpu.tlb.hfns[cpu.paging.lookup(la, rights)]!;
  const words = [0, 0];
  for (let i = 0; i < size; i++) {
    const byte = hfn < 0 ? 0xff : cpu.bytes[hfn * PAGE + (la & 0xfff) + i]!;
    words[i >> 2] = (words[i >> 2]! | (byte << (8 * (i & 3)))) >>> 0;
  }
  return { low: words[0]!, high: words[1]! };
}
