/**
 * The walk of the guest's tables: KVM's walk_addr, and with the guards the processor's own. Two-level (with PSE) and
 * PAE guests. docs/kvm-shadow-mmu.md 5.3; SDM vol. 3, 4.3, 4.4, 4.6, 4.7.
 */
import { MAXPHYADDR } from "../../memory/host-memory.ts";
import { EV_PAGETABLE_WALK, EV_PAGING_ELEMENT, EV_WALK, EV_WALKER_ERROR } from "../../trace/events.ts";
import { ACCESS_FETCH, ACCESS_PRESENT, ACCESS_RSVD, ACCESS_USER, ACCESS_WRITE } from "../../x86/door.ts";
import { CR0_WP, CR4_PSE, EFER_NXE, PT_A, PT_D, PT_P, PT_PS, PT_U, PT_W } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import {
  H_BAD_PAGE,
  H_DIRECT_AD_WRITE,
  H_FETCH_ERROR_BIT,
  H_RESERVED_BITS,
  H_WALK_ORDER,
} from "../policy/hazards.ts";
import { clearOtherModes } from "../write/other-modes.ts";
import type { Walker } from "./walker.ts";

/** Leave guest memory, events and counters alone. */
export const WALK_PEEK = 1;
/** Set D of the leaf when the access writes, as the processor does. */
export const WALK_SET_DIRTY = 2;
/** Follow the manual whatever the hazards' switches say. */
export const WALK_MANUAL = 4;

/** Bits 62:MAXPHYADDR of an 8-byte entry, in its high word. */
const HIGH_RESERVED = 0x7fff_ffff & ~((1 << (MAXPHYADDR - 32)) - 1);
const LARGE_PAE_RESERVED = 0x001f_e000;
/** 4 MiB entries: bits 21:17 with PSE-36 and 36 address bits (SDM vol. 3, table 4-4). */
export const LARGE_32_RESERVED = 0x003e_0000;

/** Reserved bits of an 8-byte entry. `large`: a level-2 entry with PS. */
export function reserved64(low: number, high: number, large: boolean, nxe: boolean): boolean {
  if ((high & HIGH_RESERVED) !== 0) return true;
  if (!nxe && high < 0) return true;
  return large && (low & LARGE_PAE_RESERVED) !== 0;
}

/** Frame number of an 8-byte entry: bits 51:12. */
export function frame64(low: number, high: number): number {
  return (high & 0xf_ffff) * 0x10_0000 + (low >>> 12);
}

function fail(mmu: Mmu, w: Walker, access: number, code: number, manual: boolean, peek: boolean): false {
  let error = code | (access & (ACCESS_WRITE | ACCESS_USER));
  if ((access & ACCESS_FETCH) !== 0) {
    // The F bit exists only with PAE and NXE (SDM vol. 3, 4.7).
    const real = mmu.rootLevel === 3 && (mmu.cpu.efer & EFER_NXE) !== 0;
    if (real || !(manual || mmu.guarded[H_FETCH_ERROR_BIT])) error |= ACCESS_FETCH;
    else if (!peek) mmu.guard(H_FETCH_ERROR_BIT, error, 0);
  }
  w.error = error;
  w.ok = false;
  return false;
}

/**
 * Walks `la` for `access` (ACCESS_WRITE | ACCESS_USER | ACCESS_FETCH). True: allowed, `w` says where. False: `w.error`.
 * Sets A as it goes (unless WALK_PEEK). `mmu.rootLevel` is the mode; 0 answers the identity.
 */
export function walkGuest(mmu: Mmu, w: Walker, la: number, access: number, flags: number): boolean {
  if (!mmu.trace.on) {
    if (
      mmu.rootLevel === 2 ? walkPlain32(mmu, w, la, access, flags) : walkPlainPae(mmu, w, la, access, flags)
    )
      return true;
  }
  const told = mmu.trace.on && (flags & WALK_PEEK) === 0 && mmu.rootLevel !== 0;
  if (told) mmu.trace.emit(EV_PAGETABLE_WALK, la, access);
  const ok = walk(mmu, w, la, access, flags);
  if (told) {
    if (!ok) mmu.trace.emit(EV_WALKER_ERROR, w.error);
    mmu.trace.emit(EV_WALK, la, access, ok ? 0 : 0x100 | w.error, w.level, w.gfn, w.low, w.high);
  }
  return ok;
}

/**
 * The walk as it nearly always is: nothing is missing, large or forbidden, and A (and D) are set already. It then does
 * nothing but fill `w` in, whatever the hazards' switches; nothing is told. False: not so, and nothing was done.
 */
export function walkPlain(mmu: Mmu, w: Walker, la: number, access: number, flags: number): boolean {
  return mmu.rootLevel === 2
    ? walkPlain32(mmu, w, la, access, flags)
    : walkPlainPae(mmu, w, la, access, flags);
}

function walkPlain32(mmu: Mmu, w: Walker, la: number, access: number, flags: number): boolean {
  const { cpu, slots } = mmu;
  const { i32 } = mmu.memory;
  const directory = cpu.cr3 >>> 12;
  const directoryFrame = slots.hfnOf(directory);
  if (directoryFrame < 0) return false;
  const pde = i32[(directoryFrame << 10) + (la >>> 22)]!;
  if ((pde & (PT_P | PT_A | PT_PS)) !== (PT_P | PT_A)) return false;
  const table = pde >>> 12;
  const tableFrame = slots.hfnOf(table);
  if (tableFrame < 0) return false;
  const index = (la >>> 12) & 1023;
  const pte = i32[(tableFrame << 10) + index]!;
  if (!isPlain(pde & pte, pte, access, flags, cpu.cr0)) return false;
  return reachPlain(w, pde, pte, index * 4, directory, table);
}

/** In PAE tables below 4 GiB whose entries have nothing in their upper halves. */
function walkPlainPae(mmu: Mmu, w: Walker, la: number, access: number, flags: number): boolean {
  if (mmu.rootLevel !== 3) return false;
  const { cpu, pdptes, slots } = mmu;
  const { i32 } = mmu.memory;
  const slot = (la >>> 30) * 2;
  const pdpte = pdptes[slot]!;
  if ((pdpte & PT_P) === 0 || pdptes[slot + 1] !== 0) return false;
  const directory = pdpte >>> 12;
  const directoryFrame = slots.hfnOf(directory);
  if (directoryFrame < 0) return false;
  const above = (directoryFrame << 10) + ((la >>> 21) & 511) * 2;
  const pde = i32[above]!;
  if ((pde & (PT_P | PT_A | PT_PS)) !== (PT_P | PT_A) || i32[above + 1] !== 0) return false;
  const table = pde >>> 12;
  const tableFrame = slots.hfnOf(table);
  if (tableFrame < 0) return false;
  const index = (la >>> 12) & 511;
  const at = (tableFrame << 10) + index * 2;
  const pte = i32[at]!;
  if (i32[at + 1] !== 0 || !isPlain(pde & pte, pte, access, flags, cpu.cr0)) return false;
  return reachPlain(w, pde, pte, index * 8, directory, table);
}

/** What the walk leaves behind at an entry that maps a page and needed no mark. `offset`: of the entry, in bytes. */
function reachPlain(
  w: Walker,
  pde: number,
  pte: number,
  offset: number,
  directory: number,
  table: number,
): true {
  w.ok = true;
  w.madeDirty = false;
  w.inherited = pde & (PT_W | PT_U);
  w.inheritedNx = false;
  w.error = 0;
  w.low = pte;
  w.high = 0;
  w.offset = offset;
  w.reached = 1;
  w.level = 1;
  w.gfn = pte >>> 12;
  w.frame = pte >>> 12;
  w.table[1] = directory;
  w.table[0] = table;
  return true;
}

/** `both`: the rights of both levels; `pte`: the lower entry. The access is allowed, and leaves no mark. */
function isPlain(both: number, pte: number, access: number, flags: number, cr0: number): boolean {
  if ((access & ACCESS_WRITE) !== 0) {
    const marks = (flags & WALK_SET_DIRTY) !== 0 ? PT_P | PT_A | PT_D : PT_P | PT_A;
    if ((pte & marks) !== marks) return false;
    if ((both & PT_W) === 0 && ((access & ACCESS_USER) !== 0 || (cr0 & CR0_WP) !== 0)) return false;
  } else if ((pte & (PT_P | PT_A)) !== (PT_P | PT_A)) return false;
  return (access & ACCESS_USER) === 0 || (both & PT_U) !== 0;
}

function walk(mmu: Mmu, w: Walker, la: number, access: number, flags: number): boolean {
  const rootLevel = mmu.rootLevel;
  const peek = (flags & WALK_PEEK) !== 0;
  const manual = (flags & WALK_MANUAL) !== 0;
  const checkReserved = manual || mmu.policy.checksReserved || mmu.guarded[H_RESERVED_BITS] === 1;
  const inOrder = manual || mmu.guarded[H_WALK_ORDER] === 1;
  const cpu = mmu.cpu;
  const nxe = (cpu.efer & EFER_NXE) !== 0;
  const wide = rootLevel === 3;
  const checkWrite =
    (access & ACCESS_WRITE) !== 0 && ((access & ACCESS_USER) !== 0 || (cpu.cr0 & CR0_WP) !== 0);
  const checkUser = (access & ACCESS_USER) !== 0;
  const checkFetch = wide && nxe && (access & ACCESS_FETCH) !== 0;
  w.ok = true;
  w.madeDirty = false;
  w.inherited = PT_W | PT_U;
  w.inheritedNx = false;
  w.error = 0;
  w.low = 0;
  w.high = 0;
  w.offset = 0;
  w.reached = 3;
  if (rootLevel === 0) {
    w.level = 0;
    w.gfn = w.frame = la >>> 12;
    return true;
  }
  let table: number;
  w.level = 2;
  if (wide) {
    const slot = (la >>> 30) * 2;
    w.level = 3;
    w.low = mmu.pdptes[slot]! | 0;
    w.high = mmu.pdptes[slot + 1]! | 0;
    w.gfn = w.frame = 0;
    if (!peek && mmu.trace.on) mmu.trace.emit(EV_PAGING_ELEMENT, w.low, w.high, 3);
    if ((w.low & PT_P) === 0) return fail(mmu, w, access, 0, manual, peek);
    w.level = 2;
    table = frame64(w.low, w.high);
  } else {
    table = cpu.cr3 >>> 12;
  }
  /** Level at which the reference would have found rights missing, 0: none. */
  let forbidden = 0;
  let setLate = false;
  for (;;) {
    const level = w.level;
    w.table[level - 1] = table;
    w.reached = level;
    const hasMemory = mmu.slots.hfnOf(table) >= 0;
    let low: number;
    let high = 0;
    if (wide) {
      w.offset = (level === 2 ? (la >>> 21) & 511 : (la >>> 12) & 511) * 8;
      low = readWord(mmu, table, w.offset, manual);
      high = readWord(mmu, table, w.offset + 4, manual);
    } else {
      w.offset = (level === 2 ? la >>> 22 : (la >>> 12) & 1023) * 4;
      low = readWord(mmu, table, w.offset, manual);
    }
    if (!hasMemory && !peek && mmu.guarded[H_BAD_PAGE]) mmu.guard(H_BAD_PAGE, table, level);
    w.low = low;
    w.high = high;
    if (!peek && mmu.trace.on) mmu.trace.emit(EV_PAGING_ELEMENT, low, high, level);
    w.gfn = w.frame = wide ? frame64(low, high) : low >>> 12;
    if ((low & PT_P) === 0) {
      if (forbidden !== 0 && !peek) mmu.guard(H_WALK_ORDER, la, forbidden);
      return fail(mmu, w, access, 0, manual, peek);
    }
    const large = level === 2 && (low & PT_PS) !== 0 && (wide || (cpu.cr4 & CR4_PSE) !== 0);
    if (
      checkReserved &&
      (wide ? reserved64(low, high, large, nxe) : large && (low & LARGE_32_RESERVED) !== 0)
    ) {
      if (!peek && !mmu.policy.checksReserved) mmu.guard(H_RESERVED_BITS, la, level);
      return fail(mmu, w, access, ACCESS_PRESENT | ACCESS_RSVD, manual, peek);
    }
    const denied =
      (checkWrite && (low & PT_W) === 0) || (checkUser && (low & PT_U) === 0) || (checkFetch && high < 0);
    const leaf = level === 1 || large;
    if (denied && (!inOrder || leaf)) {
      if (forbidden !== 0 && setLate && !peek) mmu.guard(H_WALK_ORDER, la, forbidden);
      return fail(mmu, w, access, ACCESS_PRESENT, manual, peek);
    }
    if (denied && forbidden === 0) forbidden = level;
    if (leaf) {
      if (forbidden !== 0) {
        if (setLate && !peek) mmu.guard(H_WALK_ORDER, la, forbidden);
        return fail(mmu, w, access, ACCESS_PRESENT, manual, peek);
      }
      if (!peek) {
        const dirty = (flags & WALK_SET_DIRTY) !== 0 && (access & ACCESS_WRITE) !== 0;
        setBits(mmu, table, w.offset, low, dirty ? PT_A | PT_D : PT_A, level);
        w.madeDirty = dirty && (low & PT_D) === 0;
        w.low = low | PT_A | (dirty ? PT_D : 0);
      }
      if (large) {
        if (wide) {
          w.gfn = w.frame = frame64(low & 0xffe0_0000, high) + ((la >>> 12) & 511);
        } else {
          w.gfn = ((low & 0xffc0_0000) >>> 12) + ((la >>> 12) & 1023);
          w.frame = w.gfn + ((low >> 13) & 15) * 0x10_0000;
        }
      }
      return true;
    }
    if (!peek) {
      if (forbidden !== 0 && (low & PT_A) === 0) setLate = true;
      setBits(mmu, table, w.offset, low, PT_A, level);
    }
    w.inherited &= low;
    if (wide && high < 0) w.inheritedNx = true;
    table = w.frame;
    w.level = level - 1;
  }
}

function readWord(mmu: Mmu, gfn: number, offset: number, manual: boolean): number {
  const hfn = mmu.slots.hfnOf(gfn);
  if (hfn < 0) return manual || mmu.guarded[H_BAD_PAGE] === 1 ? -1 : 0;
  return mmu.memory.i32[(hfn << 10) + (offset >> 2)]!;
}

function setBits(mmu: Mmu, table: number, offset: number, low: number, bits: number, level: number): void {
  if ((low & bits) === bits) return;
  mmu.setGuestBits(table, offset, bits, level);
  if (mmu.guarded[H_DIRECT_AD_WRITE]) clearOtherModes(mmu, table, offset);
}
