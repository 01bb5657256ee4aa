/**
 * The judge of whole programs: follows a machine under a hypervisor instruction by instruction with a bare one, which may
 * do at each what the manual leaves open. Whatever the one shows must be among what the other may show.
 *
 * Three things are open, and nothing else:
 * - A translation that the TLB holds may be used on until it is flushed, and need not be, also by one access and not by the
 *   next; so may an upper entry that a paging-structure cache holds, together with whatever the page table says now (SDM
 *   vol. 3, 4.10.2, 4.10.3).
 * - Setting an accessed or dirty flag may or may not be exposed to the detection of self-modifying code (4.8, the note):
 *   an instruction that stands in a paging structure, and whose own accesses set flags in its bytes, is carried out as it
 *   was, or as it has become.
 * - An instruction may begin anew behind a walk that set flags, which stay (4.8: they are sticky), and what it reads then
 *   holds them: MOVSD from the very entry that maps its destination copies an entry with D or without. Nothing in 4.8
 *   orders a walk's flags among the accesses of an instruction, and each exit makes use of that: an EPT violation behind the
 *   guest's own walk as well as KVM's page fault, which sets the flags in software (docs/kvm-shadow-mmu.md 2.7, 5.2).
 *
 * The last two are one choice here: behind a walk that set a flag the instruction begins anew, its fetch included, or goes on.
 */
import type { Kvm } from "../../core/kvm/index.ts";
import type { Machine } from "../../core/machine/machine.ts";
import { restoreSnapshot, takeSnapshot } from "../../core/machine/snapshot.ts";
import { ACCESS_FETCH, ACCESS_WRITE, EXIT_PF, PAGING_32 } from "../../core/x86/door.ts";
import { type PeekWalk, peekWalk, type WalkStep } from "../../core/x86/paging/peek.ts";
import { TLB_NX, TLB_U, TLB_W, Tlb } from "../../core/x86/paging/tlb.ts";
import { difference } from "./program.ts";

const A = 0x20;
const D = 0x40;

/** Units in which a program under a hypervisor did otherwise than a bare machine by itself, by what is open. */
export interface Open {
  /** An access walked, although the TLB held a translation. */
  walked: number;
  /** A walk used an upper entry that memory no longer held. */
  cached: number;
  /** The instruction began anew. */
  anew: number;
}

export const nothingOpen = (): Open => ({ walked: 0, cached: 0, anew: 0 });

/** A moment of a unit at which there is a choice: what about, and of how many; 0 is what the bare machine does by itself. */
interface Choice {
  readonly about: keyof Open;
  readonly ways: number;
  readonly chosen: number;
}

/** Upper entries of one address that are kept: the first, since a paging-structure cache keeps what it has until it is flushed. */
const KEPT = 3;

interface UpperEntry {
  readonly low: number;
  readonly high: number;
}

/** A translation that an access passed over, and that another TLB may hold still. */
interface Passed {
  readonly tag: number;
  readonly pfn: number;
  readonly flags: number;
}

/** Whether the walk that would be made now differs from what the TLB has in place `i`, or would set a flag. */
function isOld(tlb: Tlb, i: number, now: PeekWalk, access: number): boolean {
  const flags = tlb.flags[i]!;
  if (!now.ok || now.pfn !== tlb.pfns[i] || now.nx !== ((flags & TLB_NX) !== 0)) return true;
  if (now.write !== ((flags & TLB_W) !== 0) || now.user !== ((flags & TLB_U) !== 0)) return true;
  if (now.steps.some((step) => step.level < 3 && (step.low & A) === 0)) return true;
  return (access & ACCESS_WRITE) !== 0 && !now.dirty;
}

/** A bare machine that carries out its units as chosen. */
class Bare {
  readonly machine: Machine;
  /** Upper entries that walks came through since they were last flushed, by what of an address selects them. */
  private readonly upper: Map<number, UpperEntry[]>;
  /** By place of the TLB. */
  private readonly passed: Map<number, Passed>;
  /** What is to be chosen in the unit in hand; null: nobody asks. */
  private wanted: readonly number[] | null = null;
  choices: Choice[] = [];
  /** What was chosen in this unit about a place of the TLB, or about what selects an upper entry: for all its accesses. */
  private readonly settled = new Map<string, number>();

  /** @param like the one whose snapshot `machine` was made of */
  constructor(machine: Machine, like?: Bare) {
    this.machine = machine;
    this.upper = new Map(like?.upper);
    this.passed = new Map(like?.passed);
    const { cpu } = machine;
    const { paging } = cpu;
    const { tlb } = paging;
    const [lookup, stored] = [paging.lookup.bind(paging), paging.stored.bind(paging)];
    const [derive, flush, invlpg] = [tlb.derive.bind(tlb), tlb.flush.bind(tlb), tlb.invlpg.bind(tlb)];
    const dropPage = tlb.dropPage.bind(tlb);
    let marked = false;
    paging.stored = (hpa) => {
      marked = true;
      stored(hpa);
    };
    tlb.derive = (i, wp) => {
      if (this.wanted === null) derive(i, wp);
    };
    // Either drops everything that paging-structure caches hold, a page fault what its address needs (4.10.4.1).
    tlb.flush = (keepGlobal) => {
      this.forget();
      flush(keepGlobal);
    };
    tlb.invlpg = (la) => {
      this.forget();
      invlpg(la);
    };
    tlb.dropPage = (la) => {
      this.passed.delete(Tlb.dataIndex(la));
      this.passed.delete(Tlb.fetchIndex(la));
      dropPage(la);
    };
    paging.lookup = (la, access) => {
      const before = paging.walks;
      marked = false;
      const found = this.wanted === null ? lookup(la, access) : this.chosen(la, access, lookup);
      if (paging.walks !== before) this.keep(la, access, found >= 0);
      if (!marked || this.choose("anew", 2) === 0) return found;
      // An exit for which nothing is done: the unit begins anew.
      cpu.intercepts |= 1 << EXIT_PF;
      return -1;
    };
    const resume = {
      handleExit: () => {
        cpu.intercepts &= ~(1 << EXIT_PF);
        return 0;
      },
    };
    machine.inCharge.hypervisor = () => resume as Kvm;
  }

  /** @param wanted what is chosen at each moment with a choice, 0 behind the last; null: 0 always, and quickly */
  unit(wanted: readonly number[] | null): void {
    this.wanted = wanted;
    this.choices = [];
    this.settled.clear();
    // Nothing is answered but by `lookup`.
    if (wanted !== null) this.machine.cpu.tlb.dropDerived();
    this.machine.run(1);
  }

  private choose(about: keyof Open, ways: number): number {
    if (this.wanted === null) return 0;
    const chosen = this.wanted[this.choices.length] ?? 0;
    this.choices.push({ about, ways, chosen });
    return chosen;
  }

  /** As `choose`, once a unit: an exit that makes one access of an instruction walk makes all of them, which begin anew. */
  private settle(about: keyof Open, where: number, ways: number): number {
    const key = `${about} ${where}`;
    const known = this.settled.get(key);
    if (known !== undefined) return Math.min(known, ways - 1);
    const chosen = this.choose(about, ways);
    this.settled.set(key, chosen);
    return chosen;
  }

  private peek(la: number, access: number): PeekWalk {
    const { memory, cpu } = this.machine;
    return peekWalk(memory, cpu.bus, cpu.paging, la, access);
  }

  private keyOf(la: number): number {
    return this.machine.cpu.paging.mode === PAGING_32 ? la >>> 22 : la >>> 21;
  }

  private forget(): void {
    this.upper.clear();
    this.passed.clear();
  }

  private chosen(la: number, access: number, lookup: (la: number, access: number) => number): number {
    const { tlb } = this.machine.cpu;
    const i = (access & ACCESS_FETCH) !== 0 ? Tlb.fetchIndex(la) : Tlb.dataIndex(la);
    const now = this.peek(la, access);
    const tag = (la & ~0xfff) | 1;
    if (tlb.tags[i] === tag && !this.again(tlb, i, tag, now, access)) return lookup(la, access);
    const directory = now.steps.find((step) => step.level === 2 && step.hpa >= 0);
    if (directory === undefined) return lookup(la, access);
    const old = (this.upper.get(this.keyOf(la)) ?? []).filter((e) => !isSameEntry(e, directory));
    const which = old.length === 0 ? 0 : this.settle("cached", this.keyOf(la), old.length + 1);
    return which === 0
      ? lookup(la, access)
      : this.through(old[which - 1]!, directory, () => lookup(la, access));
  }

  /** Whether the access walks, although place `i` of the TLB holds a translation; or it uses one passed over before. */
  private again(tlb: Tlb, i: number, tag: number, now: PeekWalk, access: number): boolean {
    const before = this.passed.get(i);
    const known = before?.tag === tag && (before.pfn !== tlb.pfns[i] || before.flags !== tlb.flags[i]);
    const old = isOld(tlb, i, now, access);
    if (!old && !known) return false;
    const chosen = this.settle("walked", i, (old ? 2 : 1) + (known ? 1 : 0));
    if (chosen === 0) return false;
    const held: Passed = { tag, pfn: tlb.pfns[i]!, flags: tlb.flags[i]! };
    if (!old || chosen === 2) {
      const { pfn, flags } = before!;
      tlb.set(i, tag & ~1, pfn, this.machine.cpu.bus.frameOf(pfn), flags);
      this.passed.set(i, held);
      return false;
    }
    tlb.drop(i);
    this.passed.set(i, held);
    return true;
  }

  /** Walks with another upper entry than memory holds, which it holds again afterwards; A and D that the walk set stay. */
  private through(old: UpperEntry, { hpa, low, high, format }: WalkStep, walk: () => number): number {
    const { i32 } = this.machine.memory;
    const at = hpa >> 2;
    const wide = format.endsWith("pae") || format.endsWith("2m");
    i32[at] = old.low;
    if (wide) i32[at + 1] = old.high;
    const found = walk();
    i32[at] = low | (i32[at]! & ~old.low & (A | D));
    if (wide) i32[at + 1] = high;
    return found;
  }

  /** A walk was made: a paging-structure cache may hold its upper entry now; behind a page fault none does (4.10.4.1). */
  private keep(la: number, access: number, ok: boolean): void {
    const key = this.keyOf(la);
    if (!ok) {
      this.upper.delete(key);
      return;
    }
    const directory = this.peek(la, access).steps.find((step) => step.level === 2);
    const list = this.upper.get(key) ?? [];
    if (
      directory?.verdict !== "table" ||
      list.length === KEPT ||
      list.some((entry) => isSameEntry(entry, directory))
    )
      return;
    this.upper.set(key, [...list, { low: directory.low, high: directory.high }]);
  }
}

const isSameEntry = (a: UpperEntry, b: UpperEntry): boolean => a.low === b.low && a.high === b.high;

/** Whether a frame of a machine's memory was written in its last unit: each unit is an epoch of its own. */
const isWritten = ({ memory }: Machine, hfn: number): boolean => memory.version[hfn] === memory.epoch;

const frame = ({ memory }: Machine, hfn: number): Uint8Array =>
  memory.bytes.subarray(hfn * 4096, (hfn + 1) * 4096);

/** Registers, the frames that either wrote in its last unit, and why it stands: as `difference`, which looks at everything. */
function isSame(bare: Machine, other: Machine): boolean {
  const [a, b] = [bare.cpu, other.cpu];
  if (a.eip !== b.eip || a.retired !== b.retired || bare.stop.reason !== other.stop.reason) return false;
  for (const [slot, { hfn, pages }] of bare.slots.slots.entries()) {
    const first = other.slots.slots[slot]!.hfn;
    for (let i = 0; i < pages; i++) {
      if (!isWritten(bare, hfn + i) && !isWritten(other, first + i)) continue;
      if (Buffer.compare(frame(bare, hfn + i), frame(other, first + i)) !== 0) return false;
    }
  }
  return difference(bare, other, false) === null;
}

/** The next of all combinations: the last choice that has another way takes it. Null: there is none. */
function next(choices: readonly Choice[]): number[] | null {
  for (let k = choices.length - 1; k >= 0; k--) {
    const { ways, chosen } = choices[k]!;
    if (chosen + 1 < ways) return [...choices.slice(0, k).map((choice) => choice.chosen), chosen + 1];
  }
  return null;
}

/** Combinations of one unit that are tried. */
const MOST = 500;

/** A bare machine that does the unit behind `from` as `kvm` did it, or null. */
function find(from: Bare, kvm: Machine): Bare | null {
  const snapshot = takeSnapshot(from.machine);
  let wanted: number[] | null = [];
  for (let tries = 0; wanted !== null && tries < MOST; tries++) {
    const bare = new Bare(restoreSnapshot(snapshot), from);
    bare.unit(wanted);
    if (isSame(bare.machine, kvm)) return bare;
    wanted = next(bare.choices);
  }
  return null;
}

/**
 * Runs a machine under a hypervisor for up to `budget` units, followed by bare ones.
 * @param boot makes a bare machine in front of the same program
 * @returns null, or in words the first unit after which it is none that a bare machine may be
 */
export function follow(boot: () => Machine, kvm: Machine, budget: number, open: Open): string | null {
  let ahead = new Bare(boot());
  /** One unit behind. */
  const behind = new Bare(boot());
  for (let before = -1; kvm.time < budget && kvm.time !== before && !kvm.over; ) {
    before = kvm.time;
    const eip = kvm.cpu.eip >>> 0;
    kvm.run(1);
    ahead.unit(null);
    if (isSame(ahead.machine, kvm)) {
      behind.unit(null);
      continue;
    }
    const found = find(behind, kvm);
    if (found === null) return `at ${eip.toString(16)}, unit ${kvm.time}: ${difference(ahead.machine, kvm)}`;
    ahead = found;
    for (const about of new Set(found.choices.filter((c) => c.chosen > 0).map((c) => c.about))) open[about]++;
    behind.unit(found.choices.map((choice) => choice.chosen));
  }
  return difference(ahead.machine, kvm);
}
