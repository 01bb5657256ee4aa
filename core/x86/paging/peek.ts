/**
 * A walk that only looks: every entry it passes, and the verdict, for views, audits and the memory pane.
 * It sets no A or D, moves no TLB entry and raises nothing. Allocates; not for hot paths.
 */
import type { HostMemory } from "../../memory/host-memory.ts";
import {
  ACCESS_FETCH,
  ACCESS_PRESENT,
  ACCESS_RSVD,
  ACCESS_USER,
  ACCESS_WRITE,
  PAGING_32,
  PAGING_OFF,
  type PhysicalBus,
} from "../door.ts";
import {
  type EntryFormat,
  index32,
  indexPae,
  PAE_RESERVED_HIGH,
  PDE_PAE_LARGE_RESERVED,
  PDE_PS,
  PDE32_LARGE_HIGH_MASK,
  PDE32_LARGE_HIGH_SHIFT,
  PDE32_LARGE_RESERVED,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_NX_HIGH,
  PTE_P,
  PTE_U,
  PTE_W,
} from "./entries.ts";

/** The registers that a walk depends on. */
export interface WalkRegisters {
  /** PAGING_OFF, PAGING_32 or PAGING_PAE. */
  readonly mode: number;
  readonly cr3: number;
  readonly pdptes: Uint32Array;
  readonly wp: boolean;
  readonly nxe: boolean;
  readonly pse: boolean;
}

export type StepVerdict = "table" | "page" | "not-present" | "reserved" | "denied";

export interface WalkStep {
  /** 3 PDPTE register, 2 directory, 1 table. */
  readonly level: number;
  readonly format: EntryFormat;
  readonly index: number;
  /** Physical address of the entry on the bus (up to 36 bits); -1 for a PDPTE register. */
  readonly address: number;
  /** Host byte address of the entry, or -1: a register, or no memory there (then it reads all ones). */
  readonly hpa: number;
  readonly low: number;
  /** Upper word; 0 for 4-byte entries. */
  readonly high: number;
  readonly verdict: StepVerdict;
}

export interface PeekWalk {
  readonly mode: number;
  readonly steps: readonly WalkStep[];
  readonly ok: boolean;
  /** Page-fault error code when not ok, else 0. */
  readonly error: number;
  /** Physical frame of the address when ok (24 bits), else -1. */
  readonly pfn: number;
  /** 4096, 2 MiB or 4 MiB; 0 when no leaf was reached. */
  readonly size: number;
  /** Rights combined over the levels passed, and the leaf's own bits. */
  readonly write: boolean;
  readonly user: boolean;
  readonly nx: boolean;
  readonly accessed: boolean;
  readonly dirty: boolean;
  readonly global: boolean;
}

/** Walks `la` for `access` (ACCESS_WRITE | ACCESS_USER | ACCESS_FETCH) without side effects. */
export function peekWalk(
  memory: HostMemory,
  bus: PhysicalBus,
  regs: WalkRegisters,
  la: number,
  access: number,
): PeekWalk {
  const steps: WalkStep[] = [];
  const pae = regs.mode !== PAGING_32;
  let rights = PTE_W | PTE_U;
  let nx = false;
  const answer = (error: number, pfn: number, size: number, leaf: number): PeekWalk => ({
    mode: regs.mode,
    steps,
    ok: error < 0,
    error: Math.max(error, 0),
    pfn,
    size,
    write: (rights & PTE_W) !== 0,
    user: (rights & PTE_U) !== 0,
    nx,
    accessed: (leaf & PTE_A) !== 0,
    dirty: (leaf & PTE_D) !== 0,
    global: (leaf & PTE_G) !== 0,
  });
  if (regs.mode === PAGING_OFF) return answer(-1, la >>> 12, 4096, 0);

  const kinds = pae && regs.nxe ? ACCESS_WRITE | ACCESS_USER | ACCESS_FETCH : ACCESS_WRITE | ACCESS_USER;
  const kind = access & kinds;
  const reservedHigh = !pae ? 0 : regs.nxe ? PAE_RESERVED_HIGH : PAE_RESERVED_HIGH | PTE_NX_HIGH;

  let table = regs.cr3 >>> 12;
  if (pae) {
    const slot = la >>> 30;
    const low = regs.pdptes[slot * 2]! | 0;
    const high = regs.pdptes[slot * 2 + 1]! | 0;
    const present = (low & PTE_P) !== 0;
    steps.push({
      level: 3,
      format: "pdpte",
      index: slot,
      address: -1,
      hpa: -1,
      low,
      high,
      verdict: present ? "table" : "not-present",
    });
    if (!present) return answer(kind, -1, 0, 0);
    table = ((high & 0xf) << 20) | (low >>> 12);
  }
  for (let level = 2; ; level--) {
    const index = pae ? indexPae(la, level) : index32(la, level);
    const offset = index * (pae ? 8 : 4);
    const hfn = bus.frameOf(table);
    const hpa = hfn < 0 ? -1 : hfn * 4096 + offset;
    const low = hpa < 0 ? -1 : memory.i32[hpa >> 2]!;
    const high = !pae ? 0 : hpa < 0 ? -1 : memory.i32[(hpa >> 2) + 1]!;
    const large = level === 2 && (low & PDE_PS) !== 0 && (pae || regs.pse);
    const leaf = level === 1 || large;
    const format: EntryFormat =
      level === 1
        ? pae
          ? "pte-pae"
          : "pte32"
        : large
          ? pae
            ? "pde-pae-2m"
            : "pde32-4m"
          : pae
            ? "pde-pae"
            : "pde32";
    const note = (verdict: StepVerdict): void => {
      steps.push({ level, format, index, address: table * 4096 + offset, hpa, low, high, verdict });
    };
    if ((low & PTE_P) === 0) {
      note("not-present");
      return answer(kind, -1, 0, 0);
    }
    const reservedLow = large ? (pae ? PDE_PAE_LARGE_RESERVED : PDE32_LARGE_RESERVED) : 0;
    if ((low & reservedLow) !== 0 || (high & reservedHigh) !== 0) {
      note("reserved");
      return answer(kind | ACCESS_PRESENT | ACCESS_RSVD, -1, 0, 0);
    }
    rights &= low;
    if (high < 0) nx = true;
    if (!leaf) {
      note("table");
      table = ((high & 0xf) << 20) | (low >>> 12);
      continue;
    }
    const size = large ? (pae ? 0x20_0000 : 0x40_0000) : 4096;
    if (!allowed(rights, nx, access, regs.wp)) {
      note("denied");
      return answer(kind | ACCESS_PRESENT, -1, size, low);
    }
    note("page");
    const piece = (la >>> 12) & (size / 4096 - 1);
    const frame = (low >>> 12) & ~(size / 4096 - 1);
    const top = pae ? high & 0xf : large ? (low >>> PDE32_LARGE_HIGH_SHIFT) & PDE32_LARGE_HIGH_MASK : 0;
    return answer(-1, (top << 20) | frame | piece, size, low);
  }
}

function allowed(rights: number, nx: boolean, access: number, wp: boolean): boolean {
  if ((access & ACCESS_FETCH) !== 0 && nx) return false;
  const user = (access & ACCESS_USER) !== 0;
  if (user && (rights & PTE_U) === 0) return false;
  return (access & ACCESS_WRITE) === 0 || (rights & PTE_W) !== 0 || (!user && !wp);
}
