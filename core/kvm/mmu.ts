/**
 * The state of the shadow MMU, all of it in typed arrays and numbers, and its primitives: sptes as bytes in host
 * memory, entries of guest tables, guards and findings. The rules are in shadow/, write/, exits/.
 */
import type { HostMemory } from "../memory/host-memory.ts";
import { FRAME_CODE } from "../memory/host-memory.ts";
import type { MemorySlots } from "../memory/slots.ts";
import {
  EV_FINDING,
  EV_GUARD,
  EV_SET_ACCESSED,
  EV_SET_DIRTY,
  EV_SPTE_CLEAR,
  EV_SPTE_SET,
} from "../trace/events.ts";
import type { Trace } from "../trace/trace.ts";
import type { Processor } from "../x86/door.ts";
import type { Touched } from "./audit/touched.ts";
import { C, COUNTERS, GUARD_COUNTERS } from "./counters.ts";
import {
  CR0_PG,
  CR4_PAE,
  INVALID_ROOT,
  MAX_MMU_PAGES,
  NR_PTE_CHAIN_ENTRIES,
  POOL_FRAME,
  PT_A,
  PT_D,
  PT_P,
  RMAP_EXT,
} from "./layout.ts";
import { H_BAD_PAGE, HAZARDS } from "./policy/hazards.ts";
import type { Policy } from "./policy/policies.ts";
import { roleLevel } from "./shadow/role.ts";
import { Walker } from "./shadow/walker.ts";
import { LastWrites } from "./write/last-writes.ts";

/** Words of a pte chain: five parents and the link to the next chain. */
export const CHAIN_WORDS = NR_PTE_CHAIN_ENTRIES + 1;
/** Words of an rmap descriptor: four sptes and the link to the next descriptor. */
export const DESC_WORDS = RMAP_EXT + 1;
/** Chains and descriptors that there is room for at first; `grow…` doubles. */
const FIRST_OBJECTS = 1024;

/** Words of the bitmap of unsync children of one page. */
export const UNSYNC_WORDS = 16;

/** Bits of `rights`: what the leaves of a shadow page were made under, remembered outside of its role. */
export const RIGHT_W = 2;
export const RIGHT_U = 4;
export const RIGHT_NX = 8;
/** Large-page shadow pages: some leaf is writable, so D of every entry that links here must be set. */
export const RIGHT_D = 0x40;

/** Numbers of EV_FINDING: an invariant's index, or this plus a hazard's. */
export const FINDING_HAZARD = 256;
export const FINDING_NO_PROGRESS = 512;

export class Mmu {
  readonly memory: HostMemory;
  readonly slots: MemorySlots;
  readonly cpu: Processor;
  readonly trace: Trace;
  policy: Policy;
  /** 0 vmx, 1 svm: whether TLB entries survive exits. */
  svm = false;
  /** 1 where the hazard is guarded, by index. */
  readonly guarded = new Uint8Array(HAZARDS.length).fill(1);
  readonly count = new Float64Array(COUNTERS.length);

  /** Pages of the pool, and hash buckets: the policy's (4.1, 9.1). */
  poolSize: number;
  // Shadow page headers (3.1), by pool index.
  /** gfn is a plain number: with reserved bits unchecked it may exceed 32 bits. */
  readonly gfn = new Float64Array(MAX_MMU_PAGES);
  readonly role = new Int32Array(MAX_MMU_PAGES);
  readonly active = new Uint8Array(MAX_MMU_PAGES);
  readonly slotBitmap = new Uint8Array(MAX_MMU_PAGES);
  readonly rootCount = new Int32Array(MAX_MMU_PAGES);
  readonly multimapped = new Uint8Array(MAX_MMU_PAGES);
  /** hpa of the one parent spte (0: none), or the number of the first chain. */
  readonly parent = new Int32Array(MAX_MMU_PAGES);
  readonly rights = new Uint8Array(MAX_MMU_PAGES);
  /** Bucket chains, -1 ends. */
  readonly hashHead = new Int32Array(MAX_MMU_PAGES).fill(-1);
  readonly hashNext = new Int32Array(MAX_MMU_PAGES).fill(-1);
  /** active_mmu_pages: head is the newest. */
  readonly listNext = new Int32Array(MAX_MMU_PAGES).fill(-1);
  readonly listPrev = new Int32Array(MAX_MMU_PAGES).fill(-1);
  /** Out-of-sync pages (9.3): the flag; for upper pages how many children are marked, and which (512 bits a page). */
  readonly unsync = new Uint8Array(MAX_MMU_PAGES);
  readonly unsyncChildren = new Int32Array(MAX_MMU_PAGES);
  readonly unsyncBits = new Int32Array(MAX_MMU_PAGES * UNSYNC_WORDS);
  /** write_flooding_count of each page, where the policy counts by page (11). */
  readonly writeFloods = new Int32Array(MAX_MMU_PAGES);
  activeHead = -1;
  activeTail = -1;
  /** free_pages: LIFO through listNext. */
  freeHead = -1;
  nFree = 0;

  // Parent chains (4.6) and rmap descriptors (4.7). Object 0 is unused; links of 0 end a list.
  chains = new Int32Array((FIRST_OBJECTS + 1) * CHAIN_WORDS);
  chainFree = 0;
  chainTop = 1;
  descs = new Int32Array((FIRST_OBJECTS + 1) * DESC_WORDS);
  descFree = 0;
  descTop = 1;
  /** Private word of each host frame: 0 none, an spte's hpa, or descriptor number * 2 + 1. */
  readonly rmap: Int32Array;
  /** Object caches (4.3): how many objects wait in each. */
  cachedChains = 0;
  cachedDescs = 0;

  rootHpa = INVALID_ROOT;
  /** Guest root_level: 0 paging off, 2, 3. */
  rootLevel = 0;
  /** Guest PDPTE registers, low and high words. */
  readonly pdptes = new Uint32Array(8);

  // Flood detector (6.3).
  lastPtWriteGfn = 0;
  lastPtWriteCount = 0;
  /** hpa of the leaf that update_pte made last, and the gfn it maps (9.1, ~2.6.26); 0: none. */
  lastPteUpdated = 0;
  lastPteGfn = 0;

  /** The last fault was a write to a table that stays write-protected: to be emulated. */
  writePt = false;
  /** Remote flushes wait for the end of the write in hand, and whether one waits. */
  collecting = false;
  flushPending = false;
  /** mmu_valid_gen of the modern version: flips with each zap of everything. */
  zapGeneration = 0;

  /** An active root was zapped and marked invalid: roots are made anew before the guest goes on. */
  reload = 0;
  /** What the last writes did, for those who look. */
  readonly lastWrites = new LastWrites();

  // Progress of the instruction in hand (the guards' second-zap rule).
  /** Retired units and address at the last exit for a page fault, and how many came without progress. */
  stuckRetired = -1;
  stuckIp = 0;
  stuckCount = 0;
  /** Keys of pages that guards zapped for the instruction in hand. */
  readonly zappedGfn = new Float64Array(32);
  readonly zappedRole = new Int32Array(32);
  zappedCount = 0;
  /** Hazard whose guard asks that the instruction be emulated, or -1. */
  mustEmulate = -1;

  /** The first finding since it was last taken, or null. */
  finding: string | null = null;

  /** Told of every change while the machine is audited at every boundary, else null. No state. */
  touched: Touched | null = null;

  readonly walker = new Walker();
  /** A second walker for peeks and emulated accesses while the first is in use. */
  readonly walker2 = new Walker();

  constructor(memory: HostMemory, slots: MemorySlots, cpu: Processor, trace: Trace, policy: Policy) {
    this.memory = memory;
    this.slots = slots;
    this.cpu = cpu;
    this.trace = trace;
    this.policy = policy;
    this.poolSize = policy.pool;
    this.rmap = new Int32Array(memory.frames);
  }

  /** Room for chains (descriptors) up to `count` of them. Whoever holds the array takes it anew afterwards. */
  growChains(count: number): void {
    if (count * CHAIN_WORDS <= this.chains.length) return;
    const grown = new Int32Array(Math.max(this.chains.length * 2, count * CHAIN_WORDS));
    grown.set(this.chains);
    this.chains = grown;
  }

  growDescs(count: number): void {
    if (count * DESC_WORDS <= this.descs.length) return;
    const grown = new Int32Array(Math.max(this.descs.length * 2, count * DESC_WORDS));
    grown.set(this.descs);
    this.descs = grown;
  }

  /** hpa of a pool page, and the page of an spte or child address (page_header). */
  hpaOf(page: number): number {
    return (POOL_FRAME + page) << 12;
  }

  pageOf(hpa: number): number {
    return (hpa >>> 12) - POOL_FRAME;
  }

  /** Paging mode from the guest's control registers: 0, 2 or 3 levels. */
  guestRootLevel(): number {
    if ((this.cpu.cr0 & CR0_PG) === 0) return 0;
    return (this.cpu.cr4 & CR4_PAE) !== 0 ? 3 : 2;
  }

  spteLow(ptr: number): number {
    return this.memory.i32[ptr >> 2]!;
  }

  spteHigh(ptr: number): number {
    return this.memory.i32[(ptr >> 2) + 1]!;
  }

  /** Stores an spte (`ptr`: its hpa), stamps the frame, tells the trace. `why`: SPTE_…. */
  spteSet(ptr: number, low: number, high: number, why: number): void {
    const at = ptr >> 2;
    const i32 = this.memory.i32;
    const oldLow = i32[at]!;
    const oldHigh = i32[at + 1]!;
    if (oldLow === low && oldHigh === high) return;
    i32[at] = low;
    i32[at + 1] = high;
    this.memory.touch(ptr >>> 12);
    if (this.touched !== null) this.touched.spte(ptr);
    if (this.policy.modern && ((oldLow ^ low) & PT_P) !== 0) this.countLeaf(ptr, (low & PT_P) !== 0 ? 1 : -1);
    if (this.trace.on) {
      const page = ptr & ~0xfff;
      const index = (ptr & 0xfff) >> 3;
      if (low === 0 && high === 0) this.trace.emit(EV_SPTE_CLEAR, page, index, oldLow, oldHigh, why);
      else this.trace.emit(EV_SPTE_SET, page, index, oldLow, oldHigh, low, high, why);
    }
  }

  /** pages_4k: present leaf sptes (10.2, modern). */
  private countLeaf(ptr: number, by: number): void {
    const page = this.pageOf(ptr);
    if (page >= 0 && roleLevel(this.role[page]!) === 1) this.count[C.pages_4k]! += by;
  }

  /** Word of guest memory at gfn, byte offset (a multiple of 4). Without memory: all ones, or the zero page (5.3). */
  guestWord(gfn: number, offset: number): number {
    const hfn = this.slots.hfnOf(gfn);
    if (hfn < 0) return this.guarded[H_BAD_PAGE] ? -1 : 0;
    return this.memory.i32[(hfn << 10) + (offset >> 2)]!;
  }

  /** Stores a word of guest memory as the hypervisor: dirty log, versions, decoded code. */
  setGuestWord(gfn: number, offset: number, value: number): void {
    const hfn = this.slots.hfnOf(gfn);
    if (hfn < 0) return;
    this.memory.i32[(hfn << 10) + (offset >> 2)] = value;
    if (this.touched !== null) this.touched.store(hfn, offset, 4);
    this.wrote(gfn, hfn);
  }

  /** Book-keeping after a store to guest memory that did not go through the processor. */
  wrote(gfn: number, hfn: number): void {
    this.memory.touch(hfn);
    this.slots.markDirty(gfn);
    if ((this.memory.flags[hfn]! & FRAME_CODE) !== 0) this.cpu.codeChanged(hfn);
  }

  /** Sets A (or A and D) in a guest entry, as KVM's walker does: without pte_write. */
  setGuestBits(gfn: number, offset: number, bits: number, level: number): void {
    const old = this.guestWord(gfn, offset);
    if ((old & bits) === bits) return;
    this.setGuestWord(gfn, offset, old | bits);
    if (this.trace.on) {
      const low = (gfn << 12) | offset | 0;
      const high = Math.floor(gfn / 0x10_0000);
      if ((bits & ~old & PT_A) !== 0) this.trace.emit(EV_SET_ACCESSED, low, high, level);
      if ((bits & ~old & PT_D) !== 0) this.trace.emit(EV_SET_DIRTY, low, high, level);
    }
  }

  /** A guard acted. */
  guard(hazard: number, a: number, b: number): void {
    this.count[GUARD_COUNTERS + hazard]!++;
    if (this.trace.on) this.trace.emit(EV_GUARD, hazard, a, b);
  }

  /** The simulated KVM met one of its own assertions, an endless loop, or worse. */
  found(number: number, a: number, b: number, message: string): void {
    if (this.trace.on) this.trace.emit(EV_FINDING, number, a, b);
    if (this.finding === null) this.finding = message;
  }
}
