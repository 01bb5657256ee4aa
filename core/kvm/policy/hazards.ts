/**
 * The hazards, as data: places where the rules of 2007 differ from the manual, each with a switch. `guarded` does what
 * the manual says, `as-it-was` what KVM did. A guard acts only where the hazard would, emits `guard` and is counted.
 * The row's index is the number in events and counters; rows are only ever appended.
 */

export interface Hazard {
  readonly id: string;
  readonly title: string;
  /** Section of docs/kvm-shadow-mmu.md. */
  readonly section: string;
  readonly source: string;
  /** Ids of the policies that have it: under the others its switch changes nothing. */
  readonly policies: readonly string[];
  readonly help: string;
}

const ALL = ["A0", "A", "P", "B", "C", "D", "E1", "E2", "E3", "F"];
/** Up to the counterfactual: the rules of 2006 and 2007. */
const REFERENCE = ALL.slice(0, 6);
/** Hazards that not every policy has; cured later by what the policy's `changes` says. */
const ONLY: Readonly<Record<string, readonly string[]>> = {
  "reserved-bits": [...REFERENCE, "E1", "E2"],
  "upper-nx": REFERENCE,
  "wp-change": [...REFERENCE, "E1", "E2"],
  "nxe-change": [...REFERENCE, "E1"],
  "inherited-rights": REFERENCE,
  "large-page-nx": REFERENCE,
  "unlink-no-flush": REFERENCE,
  "reset-without-reclaim": REFERENCE,
  "user-write-root": REFERENCE,
  "user-write-own-table": REFERENCE,
  "nonpaging-table": REFERENCE,
  "update-inherited": ["C", "D"],
  "update-without-topup": ["C", "D"],
  "large-page-access": ["A0"],
  "direct-access": ["E1", "E2"],
  "wp-write-user": ["E1", "E2"],
  "crossing-half": ["F"],
};

export type HazardSetting = "guarded" | "as-it-was";

const rows: readonly [id: string, section: string, title: string, help: string][] = [
  [
    "reserved-bits",
    "2.3",
    "Reserved bits of guest entries are not checked",
    "KVM never raises RSVD faults. The guard checks the bits that the manual reserves (physical addresses of 36 bits, NX without EFER.NXE, bits 21:17 of a 4 MiB entry, 20:13 of a 2 MiB entry) in the walk and in update_pte.",
  ],
  [
    "upper-nx",
    "2.5",
    "NX of a directory entry is not in the shadow",
    "A leaf made by a read stays executable below a no-execute directory entry. The guard adds the inherited NX to leaf sptes, and zaps a page table's shadow before it is linked under another NX.",
  ],
  [
    "pse36-gfn",
    "2.6",
    "The frame number of a 4 MiB page lacks its bits 35:32",
    "Lookups of shadow pages, the dirty log and the emulator use the walker's gfn without the PSE-36 bits. The guard uses the whole number.",
  ],
  [
    "wp-trick",
    "2.7",
    "The CR0.WP=0 trick leaves read-only sptes in the rmap",
    "fix_read_pf clears W without rmap_remove, so a later rmap_write_protect hits an assertion. The guard removes it from the rmap; an instruction that needs both states of one spte at once is emulated.",
  ],
  [
    "emulator-permissions",
    "2.7, 7.2",
    "The emulator checks presence only",
    "gva_to_gpa walks as a supervisor read: rights are not checked, D is never set. The guarded emulator's accesses are the processor's own, with rights, A and D.",
  ],
  [
    "inherited-rights",
    "2.9",
    "Inherited W and U are not part of the key",
    "A page table's shadow is found again under a directory entry of other rights, with its old leaves. The guard remembers the rights that the leaves were made under and zaps before linking under others.",
  ],
  [
    "large-page-nx",
    "3.2",
    "NX of a large page is not part of the key",
    "Large pages of the same frame share a shadow page whatever their NX. The guard zaps it before linking under another NX.",
  ],
  [
    "large-page-dirty",
    "3.2",
    "D of a large page is not part of the key",
    "A large page with D clear finds writable leaves that another with D set made, and its D is never set. The guard remembers that a leaf is writable and zaps before linking under D clear.",
  ],
  [
    "wp-change",
    "3.2",
    "CR0.WP is not part of the key",
    "Leaves made under one value of WP are found again under the other. The guard zaps all shadow pages when WP changes.",
  ],
  [
    "pse-change",
    "3.2",
    "CR4.PSE is not part of the key",
    "Directory entries with PS set mean something else after a change, but their shadow stays. The guard zaps all shadow pages when PSE changes.",
  ],
  [
    "nxe-change",
    "3.2",
    "EFER.NXE is not part of the key",
    "Leaves keep the meaning that bit 63 had when they were made. The guard zaps all shadow pages when NXE changes.",
  ],
  [
    "pdpte-reload",
    "2.8",
    "PDPTEs are reloaded too rarely",
    "The manual reloads them also when CR0.CD, CR0.NW, CR4.PGE or CR4.PSE changes. The guard does.",
  ],
  [
    "unlink-no-flush",
    "4.8",
    "Zapping an upper shadow page does not flush the TLB",
    "Matters where TLB entries survive exits (svm). The guard flushes.",
  ],
  [
    "reset-without-reclaim",
    "4.4, 4.9",
    "A control register write does not reclaim",
    "kvm_mmu_reset_context takes up to four pages without looking whether the pool has them. The guard reclaims first.",
  ],
  [
    "walk-order",
    "5.3",
    "Rights are checked at every level on the way down",
    "The processor looks at rights when the walk is complete: a missing lower entry comes first, and A of passed entries is set. The guard keeps the manual's order.",
  ],
  [
    "fetch-error-bit",
    "5.3",
    "The F bit of an error code is copied",
    "The shadow always runs with NX, so every fetch fault has F. The manual sets it only with PAE and EFER.NXE. The guard clears it.",
  ],
  [
    "bad-page",
    "5.3",
    "A table without memory reads as zeroes",
    "KVM reads its zero page; a machine without memory at an address answers all ones, in walks too. The guard reads all ones.",
  ],
  [
    "user-write-root",
    "5.5",
    "A user write to the table of an active root never ends",
    "The loop that zaps every shadow page of the frame cannot remove a root. The guard emulates the write.",
  ],
  [
    "user-write-own-table",
    "5.5",
    "A user write zaps the table that translates it",
    "The zapped page may hold the very spte in hand, and the instruction faults on it forever. The guard emulates the write.",
  ],
  [
    "nonpaging-table",
    "5.7",
    "Paging off, tables become writable",
    "nonpaging_map does not look whether the frame is a shadowed table. The guard zaps its shadow pages first.",
  ],
  [
    "double-fault",
    "5.8",
    "A page fault while a double fault is delivered",
    "KVM injects the page fault; the manual shuts the processor down. The guard does.",
  ],
  [
    "emulator-error-code",
    "5.8",
    "The emulator's page faults have a fixed error code",
    "Always 2 for a write, whatever the entry and the CPL. The guard computes the code.",
  ],
  [
    "cr0-reserved",
    "5.9",
    "Reserved bits of CR0 raise #GP",
    "The processor ignores them. The guard does too.",
  ],
  [
    "cr3-reserved",
    "5.9",
    "Low bits of CR3 raise #GP",
    "Bits 2:0 are ignored by the processor. The guard ignores them.",
  ],
  [
    "cr3-outside-memory",
    "5.9",
    "CR3 outside of memory raises #GP",
    "The processor loads any CR3. The guard does.",
  ],
  [
    "cr4-bad-pdptes",
    "5.9",
    "CR4 is installed although its PDPTEs are refused",
    "The #GP is injected and the new CR4 stays. The guard leaves CR4 alone. Bits of CR4 that the processor does not have, but KVM lets pass, are refused as well.",
  ],
  [
    "invlpg-large-page",
    "5.9",
    "INVLPG of a large page drops one of its translations",
    "A guest's large page is many 4 KiB translations in the TLB; under svm the others survive. The guard flushes when the entry of a large page is cleared.",
  ],
  [
    "update-inherited",
    "6.6",
    "update_pte ignores the rights of the directory entry",
    "It installs with W and U inherited, whatever the directory allows. The guard uses the rights that the shadow page remembers.",
  ],
  [
    "update-without-topup",
    "6.6",
    "update_pte may find the object cache empty",
    "Caches are filled at the start of a page fault only; an update that needs an rmap descriptor then hits an assertion. The guard fills them.",
  ],
  [
    "clear-no-flush",
    "6.6",
    "Cleared sptes stay in the TLB",
    "Under svm a writable translation survives the removal of its spte, unseen by write protection. The guard flushes.",
  ],
  [
    "page-crossing-write",
    "7.2",
    "An emulated write across a page boundary is lost",
    "It is taken for MMIO. The guard splits it.",
  ],
  [
    "pio-string-input",
    "7.5",
    "INS writes behind the shadow's back",
    "Its bytes go to guest memory without pte_write. The guard stores them like any other write.",
  ],
  [
    "delivery-into-table",
    "7.5",
    "An event delivered into a shadowed table",
    "KVM emulates the instruction at EIP instead of the delivery's store. The guard carries the delivery out on the emulator's path.",
  ],
  [
    "direct-ad-write",
    "7.5",
    "A and D are set behind the back of shadows of another mode",
    "KVM's walker stores A and D without pte_write; a shadow page of the same table made in another paging mode reads those bytes as something else. The guard clears its entry.",
  ],
  [
    "large-page-access",
    "3.2",
    "Rights of a large page are not part of the key (2.6.20)",
    "Large pages of the same frame share a shadow page whatever their W and U: what one may write, the other may too. The guard zaps it before linking under other rights. Fixed by d28c6cfb.",
  ],
  [
    "direct-access",
    "9.4",
    "A large page's own rights are missing in its shadow's role (2.6.26, 2.6.32)",
    "The role has the rights above the large entry, not the entry's, so that large pages of the same frame with different rights share leaves again. The guard puts them in, and drops a link of other rights, as 3.1 does.",
  ],
  [
    "wp-write-user",
    "2.7, 9.1",
    "A kernel's write with CR0.WP=0 opens a read-only page to the user (2.6.26, 2.6.32)",
    "The tricks with U are gone: the leaf gets W and keeps U, so that the user may write it from then on. The guard takes U away while W is there, as 3.1 does.",
  ],
  [
    "crossing-half",
    "11",
    "Four bytes across two entries of a PAE guest count as the first (~3.3 and later)",
    "Four bytes are taken for one half of an entry before they are looked at: the address is rounded down to the entry, so that a write across two entries is neither misaligned nor seen in the second. The guard looks at the write as it is, and zaps.",
  ],
];

export const HAZARDS: readonly Hazard[] = rows.map(([id, section, title, help]) => ({
  id,
  section,
  title,
  source: `docs/kvm-shadow-mmu.md ${section}`,
  policies: ONLY[id] ?? ALL,
  help,
}));

const indexOf = (id: string): number => {
  const at = HAZARDS.findIndex((h) => h.id === id);
  if (at < 0) throw new Error(`no hazard named ${id}`);
  return at;
};

export const H_RESERVED_BITS = indexOf("reserved-bits");
export const H_UPPER_NX = indexOf("upper-nx");
export const H_PSE36_GFN = indexOf("pse36-gfn");
export const H_WP_TRICK = indexOf("wp-trick");
export const H_EMULATOR_PERMISSIONS = indexOf("emulator-permissions");
export const H_INHERITED_RIGHTS = indexOf("inherited-rights");
export const H_LARGE_PAGE_NX = indexOf("large-page-nx");
export const H_LARGE_PAGE_DIRTY = indexOf("large-page-dirty");
export const H_WP_CHANGE = indexOf("wp-change");
export const H_PSE_CHANGE = indexOf("pse-change");
export const H_NXE_CHANGE = indexOf("nxe-change");
export const H_PDPTE_RELOAD = indexOf("pdpte-reload");
export const H_UNLINK_NO_FLUSH = indexOf("unlink-no-flush");
export const H_RESET_WITHOUT_RECLAIM = indexOf("reset-without-reclaim");
export const H_WALK_ORDER = indexOf("walk-order");
export const H_FETCH_ERROR_BIT = indexOf("fetch-error-bit");
export const H_BAD_PAGE = indexOf("bad-page");
export const H_USER_WRITE_ROOT = indexOf("user-write-root");
export const H_USER_WRITE_OWN_TABLE = indexOf("user-write-own-table");
export const H_NONPAGING_TABLE = indexOf("nonpaging-table");
export const H_DOUBLE_FAULT = indexOf("double-fault");
export const H_EMULATOR_ERROR_CODE = indexOf("emulator-error-code");
export const H_CR0_RESERVED = indexOf("cr0-reserved");
export const H_CR3_RESERVED = indexOf("cr3-reserved");
export const H_CR3_OUTSIDE_MEMORY = indexOf("cr3-outside-memory");
export const H_CR4_BAD_PDPTES = indexOf("cr4-bad-pdptes");
export const H_INVLPG_LARGE_PAGE = indexOf("invlpg-large-page");
export const H_UPDATE_INHERITED = indexOf("update-inherited");
export const H_UPDATE_WITHOUT_TOPUP = indexOf("update-without-topup");
export const H_CLEAR_NO_FLUSH = indexOf("clear-no-flush");
export const H_PAGE_CROSSING_WRITE = indexOf("page-crossing-write");
export const H_PIO_STRING_INPUT = indexOf("pio-string-input");
export const H_DELIVERY_INTO_TABLE = indexOf("delivery-into-table");
export const H_DIRECT_AD_WRITE = indexOf("direct-ad-write");
export const H_LARGE_PAGE_ACCESS = indexOf("large-page-access");
export const H_DIRECT_ACCESS = indexOf("direct-access");
export const H_WP_WRITE_USER = indexOf("wp-write-user");
export const H_CROSSING_HALF = indexOf("crossing-half");
