/**
 * The judge of whole programs: follows a machine under a hypervisor instruction by instruction with a bare one, which may
 * do at each what the manual leaves open. Whatever the one shows must be among what the other may show.
 *
 * Three things are open, and nothing else:
 * - A translation that the TLB holds may be used on until it is flushed, and need not be (SDM vol. 3, 4.10.2, 4.10.3): a
 *   store into an entry of one's own walk is seen by the next access, or is not.
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
import { EXIT_PF } from "../../core/x86/door.ts";
import { difference } from "./program.ts";

/** How a bare machine carries out one unit. */
interface Choice {
  /** Every access of the unit walks, whatever the TLB holds. */
  readonly walks: boolean;
  /** Bit n: behind the n-th walk that sets a flag the unit begins anew. */
  readonly anew: number;
}

const AS_IT_IS: Choice = { walks: false, anew: 0 };
/** Walks of one unit that are told apart. */
const TOLD_APART = 4;
/** Begins anew behind none, behind each, and behind any of the first few. */
const ANEW = [0, -1, ...Array.from({ length: (1 << TOLD_APART) - 1 }, (_, n) => n + 1)];
const CHOICES: readonly Choice[] = [false, true].flatMap((walks) => ANEW.map((anew) => ({ walks, anew })));

/** What programs came across that the bare machine by itself did otherwise. */
export interface Open {
  /** Units whose accesses had to walk. */
  walked: number;
  /** Units that had to begin anew. */
  anew: number;
}

/** A bare machine that carries out its units as chosen. */
class Bare {
  readonly machine: Machine;
  private choice = AS_IT_IS;
  private marks = 0;

  constructor(machine: Machine) {
    this.machine = machine;
    const { cpu } = machine;
    const { paging } = cpu;
    const { tlb } = paging;
    const [lookup, stored, derive] = [
      paging.lookup.bind(paging),
      paging.stored.bind(paging),
      tlb.derive.bind(tlb),
    ];
    let marked = false;
    paging.stored = (hpa) => {
      marked = true;
      stored(hpa);
    };
    tlb.derive = (i, wp) => {
      if (!this.choice.walks) derive(i, wp);
    };
    paging.lookup = (la, access) => {
      if (this.choice.walks) tlb.dropPage(la);
      marked = false;
      const found = lookup(la, access);
      if (!marked || ((this.choice.anew >>> Math.min(this.marks++, 31)) & 1) === 0) return found;
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
    machine.hypervisor = () => resume as Kvm;
  }

  unit(choice: Choice): void {
    this.choice = choice;
    this.marks = 0;
    if (choice.walks) this.machine.cpu.tlb.dropDerived();
    this.machine.run(1);
  }
}

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
    ahead.unit(AS_IT_IS);
    let chosen = AS_IT_IS;
    if (!isSame(ahead.machine, kvm)) {
      const from = takeSnapshot(behind.machine);
      const found = CHOICES.find((choice) => {
        ahead = new Bare(restoreSnapshot(from));
        ahead.unit(choice);
        return isSame(ahead.machine, kvm);
      });
      if (found === undefined) {
        behind.unit(AS_IT_IS);
        return `at ${eip.toString(16)}, unit ${kvm.time}: ${difference(behind.machine, kvm)}`;
      }
      chosen = found;
      if (chosen.walks) open.walked++;
      if (chosen.anew !== 0) open.anew++;
    }
    behind.unit(chosen);
  }
  return difference(ahead.machine, kvm);
}
