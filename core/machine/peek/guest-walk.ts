/**
 * The guest's own page tables, read without touching anything: no A or D is set, nothing faults, nothing is cached.
 * SDM vol. 3, 4.3 (32-bit paging), 4.4 (PAE), 4.6 (access rights), 4.7 (error codes).
 */
import type { HostMemory } from "../../memory/host-memory.ts";
import { MAXPHYADDR, PAGE_SHIFT } from "../../memory/host-memory.ts";
import type { MemorySlots } from "../../memory/slots.ts";
import { ACCESS_FETCH, ACCESS_PRESENT, ACCESS_RSVD, ACCESS_USER, ACCESS_WRITE } from "../../x86/door.ts";

export const CR0_PE = 0x1;
export const CR0_WP = 0x1_0000;
export const CR0_PG = 0x8000_0000;
export const CR4_PSE = 0x10;
export const CR4_PAE = 0x20;
export const EFER_NXE = 0x800;

export const PTE_P = 0x1;
export const PTE_W = 0x2;
export const PTE_U = 0x4;
export const PTE_A = 0x20;
export const PTE_D = 0x40;
export const PTE_PS = 0x80;
/** NX in the high word of an 8-byte entry. */
export const PTE_NX_HIGH = 0x8000_0000;
/** Address bits 35:32 in the high word. */
const HIGH_ADDRESS = 2 ** (MAXPHYADDR - 32) - 1;
/** Reserved in the high word of a PAE entry: bits 62:36. */
const HIGH_RESERVED = 0x7fff_ffff & ~HIGH_ADDRESS;
/** A 2 MiB PDE: bits 20:13. */
const LARGE_PAE_RESERVED = 0x001f_e000;
/** A 4 MiB PDE with PSE-36: bits 21 and 20:17 (bits 16:13 are address bits 35:32). */
const LARGE_32_RESERVED = 0x003e_0000;

/** What the guest's paging depends on, taken out of the processor (unsigned). */
export interface GuestPaging {
  readonly mode: "off" | "2-level" | "PAE";
  readonly cr3: number;
  readonly wp: boolean;
  readonly pse: boolean;
  readonly nxe: boolean;
  /** The PDPTE registers as they were loaded: four entries, low and high words. */
  readonly pdptes: Uint32Array;
}

export interface GuestMemory {
  readonly memory: HostMemory;
  readonly slots: MemorySlots;
}

/** An entry that a walk read. */
export interface GuestStep {
  readonly label: string;
  /** 3 PDPTE, 2 PDE, 1 PTE. */
  readonly level: number;
  readonly index: number;
  /** Guest-physical address of the entry. */
  readonly gpa: number;
  readonly entrySize: 4 | 8;
  readonly low: number;
  readonly high: number;
}

export interface GuestTranslation {
  readonly ok: boolean;
  /** Guest-physical address (below 2^36) when a page was found, even when rights forbid the access; else -1. */
  readonly gpa: number;
  /** Page-fault error code when not ok. */
  readonly error: number;
  /** The bit of the last step that decides, or null. */
  readonly decides: "P" | "W" | "U" | "NX" | "reserved" | null;
  readonly text: string;
  /** What the deciding entry says, in a few words ("U is 0"); empty when the access is allowed. */
  readonly why: string;
  readonly steps: readonly GuestStep[];
  /** Bytes of the page: 4096, 2 MiB or 4 MiB; 0 when none was found or paging is off. */
  readonly pageSize: number;
  /** Which step's entry decides; -1 for none. */
  readonly decider: number;
}

export interface Access {
  readonly write: boolean;
  readonly user: boolean;
  readonly fetch: boolean;
}

export const ANY_READ: Access = { write: false, user: false, fetch: false };

/** The mode word for a set of control registers (unsigned). */
export function pagingMode(cr0: number, cr4: number): GuestPaging["mode"] {
  if ((cr0 & CR0_PG) === 0) return "off";
  return (cr4 & CR4_PAE) !== 0 ? "PAE" : "2-level";
}

/** Reads 32 bits of guest-physical memory; all ones where there is none. gpa a multiple of 4. */
export function peek32(where: GuestMemory, gpa: number): number {
  const hfn = where.slots.hfnOf(Math.floor(gpa / 4096));
  if (hfn < 0) return 0xffff_ffff;
  return where.memory.u32[(hfn << (PAGE_SHIFT - 2)) + ((gpa % 4096) >>> 2)]!;
}

interface Walk {
  readonly steps: GuestStep[];
  gpa: number;
  pageSize: number;
}

/** Translates a linear address as the processor would for this access, by peeking alone. */
export function walkGuest(
  where: GuestMemory,
  paging: GuestPaging,
  gva: number,
  access: Access,
): GuestTranslation {
  if (paging.mode === "off") {
    return {
      ok: true,
      gpa: gva,
      error: 0,
      decides: null,
      text: "paging is off: the linear address is the physical address",
      why: "",
      steps: [],
      pageSize: 0,
      decider: -1,
    };
  }
  return paging.mode === "PAE" ? walkPae(where, paging, gva, access) : walk32(where, paging, gva, access);
}

function walk32(where: GuestMemory, paging: GuestPaging, gva: number, access: Access): GuestTranslation {
  const walk: Walk = { steps: [], gpa: -1, pageSize: 0 };
  const pdIndex = gva >>> 22;
  const pdeGpa = (paging.cr3 & 0xffff_f000) + pdIndex * 4;
  const pde = peek32(where, pdeGpa >>> 0);
  walk.steps.push(step("PDE", 2, pdIndex, pdeGpa >>> 0, 4, pde, 0));
  if ((pde & PTE_P) === 0) return absent(walk, access, paging);
  if ((pde & PTE_PS) !== 0 && paging.pse) {
    if ((pde & LARGE_32_RESERVED) !== 0) return reserved(walk, access, paging, "21:17 of a 4 MiB page's PDE");
    walk.gpa = ((pde >>> 13) & 0xf) * 2 ** 32 + ((pde & 0xffc0_0000) >>> 0) + (gva & 0x3f_ffff);
    walk.pageSize = 0x40_0000;
    return rights(walk, access, paging);
  }
  const ptIndex = (gva >>> 12) & 1023;
  const pteGpa = ((pde & 0xffff_f000) >>> 0) + ptIndex * 4;
  const pte = peek32(where, pteGpa);
  walk.steps.push(step("PTE", 1, ptIndex, pteGpa, 4, pte, 0));
  if ((pte & PTE_P) === 0) return absent(walk, access, paging);
  walk.gpa = ((pte & 0xffff_f000) >>> 0) + (gva & 0xfff);
  walk.pageSize = 4096;
  return rights(walk, access, paging);
}

function walkPae(where: GuestMemory, paging: GuestPaging, gva: number, access: Access): GuestTranslation {
  const walk: Walk = { steps: [], gpa: -1, pageSize: 0 };
  const slot = gva >>> 30;
  const pdptLow = paging.pdptes[slot * 2]!;
  const pdptHigh = paging.pdptes[slot * 2 + 1]!;
  const pdptGpa = ((paging.cr3 & 0xffff_ffe0) >>> 0) + slot * 8;
  walk.steps.push(step("PDPTE", 3, slot, pdptGpa, 8, pdptLow, pdptHigh));
  if ((pdptLow & PTE_P) === 0) return absent(walk, access, paging);

  const pdIndex = (gva >>> 21) & 511;
  const pdeGpa = tableOf(pdptLow, pdptHigh) + pdIndex * 8;
  const pdeLow = peek32(where, pdeGpa);
  const pdeHigh = peek32(where, pdeGpa + 4);
  walk.steps.push(step("PDE", 2, pdIndex, pdeGpa, 8, pdeLow, pdeHigh));
  if ((pdeLow & PTE_P) === 0) return absent(walk, access, paging);
  const badHigh = reservedHigh(pdeHigh, paging);
  if (badHigh !== "") return reserved(walk, access, paging, badHigh);
  if ((pdeLow & PTE_PS) !== 0) {
    if ((pdeLow & LARGE_PAE_RESERVED) !== 0)
      return reserved(walk, access, paging, "20:13 of a 2 MiB page's PDE");
    walk.gpa = tableOf(pdeLow & 0xffe0_0000, pdeHigh) + (gva & 0x1f_ffff);
    walk.pageSize = 0x20_0000;
    return rights(walk, access, paging);
  }
  const ptIndex = (gva >>> 12) & 511;
  const pteGpa = tableOf(pdeLow, pdeHigh) + ptIndex * 8;
  const pteLow = peek32(where, pteGpa);
  const pteHigh = peek32(where, pteGpa + 4);
  walk.steps.push(step("PTE", 1, ptIndex, pteGpa, 8, pteLow, pteHigh));
  if ((pteLow & PTE_P) === 0) return absent(walk, access, paging);
  const bad = reservedHigh(pteHigh, paging);
  if (bad !== "") return reserved(walk, access, paging, bad);
  walk.gpa = tableOf(pteLow, pteHigh) + (gva & 0xfff);
  walk.pageSize = 4096;
  return rights(walk, access, paging);
}

/** Physical address in bits 35:12 of an 8-byte entry. */
export function tableOf(low: number, high: number): number {
  return (high & HIGH_ADDRESS) * 2 ** 32 + ((low & 0xffff_f000) >>> 0);
}

function reservedHigh(high: number, paging: GuestPaging): string {
  if ((high & HIGH_RESERVED) !== 0) return "62:36";
  return !paging.nxe && (high & PTE_NX_HIGH) !== 0 ? "63 while EFER.NXE is 0" : "";
}

function step(
  name: string,
  level: number,
  index: number,
  gpa: number,
  entrySize: 4 | 8,
  low: number,
  high: number,
): GuestStep {
  return { label: `${name} ${index}`, level, index, gpa, entrySize, low: low >>> 0, high: high >>> 0 };
}

/** W, U and I/D bits of an error code; I/D only when NX can exist (SDM vol. 3, 4.7). */
function errorOf(access: Access, paging: GuestPaging): number {
  return (
    (access.write ? ACCESS_WRITE : 0) |
    (access.user ? ACCESS_USER : 0) |
    (access.fetch && paging.mode === "PAE" && paging.nxe ? ACCESS_FETCH : 0)
  );
}

const who = (access: Access): string =>
  `${access.user ? "user" : "supervisor"} ${access.write ? "write" : access.fetch ? "fetch" : "read"}`;

/** A page fault's error code in words (SDM vol. 3, 4.7): "0x7: present, write, user". */
export function errorWords(error: number): string {
  const words = [
    (error & ACCESS_PRESENT) !== 0 ? "present" : "not present",
    (error & ACCESS_WRITE) !== 0 ? "write" : (error & ACCESS_FETCH) !== 0 ? "fetch" : "read",
    (error & ACCESS_USER) !== 0 ? "user" : "supervisor",
  ];
  if ((error & ACCESS_RSVD) !== 0) words.push("reserved bit");
  return `0x${error.toString(16)}: ${words.join(", ")}`;
}

/** The one sentence about a fault of the guest's own: the entry, the bit that decides, and the error code. */
const faultText = (step: GuestStep, bit: string, access: Access, error: number): string =>
  `${step.label} at gpa 0x${step.gpa.toString(16)}: ${bit}, so a ${who(access)} is refused (error ${errorWords(error)})`;

function absent(walk: Walk, access: Access, paging: GuestPaging): GuestTranslation {
  const last = walk.steps.at(-1)!;
  const error = errorOf(access, paging);
  return {
    ok: false,
    gpa: -1,
    error,
    decides: "P",
    text: faultText(last, "P is 0", access, error),
    why: "P is 0",
    steps: walk.steps,
    pageSize: 0,
    decider: walk.steps.length - 1,
  };
}

function reserved(walk: Walk, access: Access, paging: GuestPaging, bits: string): GuestTranslation {
  const last = walk.steps.at(-1)!;
  const error = errorOf(access, paging) | ACCESS_PRESENT | ACCESS_RSVD;
  return {
    ok: false,
    gpa: -1,
    error,
    decides: "reserved",
    text: faultText(last, `a reserved bit is 1 (${bits})`, access, error),
    why: `a reserved bit is 1 (${bits})`,
    steps: walk.steps,
    pageSize: 0,
    decider: walk.steps.length - 1,
  };
}

/** The access rights over all levels; PDPTEs have none. The entry that decides is the first that forbids. */
function rights(walk: Walk, access: Access, paging: GuestPaging): GuestTranslation {
  const entries = walk.steps.map((s, i) => ({ s, i })).filter(({ s }) => s.level < 3);
  const error = errorOf(access, paging) | ACCESS_PRESENT;
  const lacking = (bit: number) => entries.find(({ s }) => (s.low & bit) === 0);
  const refuse = (
    decides: "W" | "U" | "NX",
    at: { s: GuestStep; i: number },
    why: string,
  ): GuestTranslation => ({
    ok: false,
    gpa: walk.gpa,
    error,
    decides,
    text: faultText(at.s, why, access, error),
    why,
    steps: walk.steps,
    pageSize: walk.pageSize,
    decider: at.i,
  });
  if (access.user) {
    const at = lacking(PTE_U);
    if (at !== undefined) return refuse("U", at, "U is 0");
  }
  if (access.write && (access.user || paging.wp)) {
    const at = lacking(PTE_W);
    if (at !== undefined) return refuse("W", at, "W is 0");
  }
  if (access.fetch && paging.mode === "PAE" && paging.nxe) {
    const at = entries.find(({ s }) => (s.high & PTE_NX_HIGH) !== 0);
    if (at !== undefined) return refuse("NX", at, "NX is 1");
  }
  return {
    ok: true,
    gpa: walk.gpa,
    error: 0,
    decides: null,
    text: `the guest's tables allow this ${who(access)}`,
    why: "",
    steps: walk.steps,
    pageSize: walk.pageSize,
    decider: -1,
  };
}
