/**
 * What the manual says of one access through one directory entry and one page-table entry: allowed or not, the error
 * code, and which accessed and dirty flags are then set. Written from the Intel SDM, volume 3, chapter 4, in its own
 * words and order; it shares nothing with core/.
 */

/** A paging-structure entry as booleans. `reserved`: some bit that the manual reserves in this format is 1. */
export interface Flags {
  readonly present: boolean;
  readonly write: boolean;
  readonly user: boolean;
  readonly accessed: boolean;
  readonly dirty: boolean;
  readonly executeDisable: boolean;
  readonly reserved: boolean;
}

export interface Situation {
  /** CR4.PAE: PAE paging (4.4), else 32-bit paging (4.3). */
  readonly pae: boolean;
  /** CR0.WP and IA32_EFER.NXE. */
  readonly writeProtect: boolean;
  readonly executeDisableEnable: boolean;
  /** The directory entry maps a page: PS = 1, and with 32-bit paging also CR4.PSE = 1 (tables 4-4, 4-5, 4-9, 4-10). */
  readonly large: boolean;
  readonly directory: Flags;
  /** Not looked at when `large`. */
  readonly table: Flags;
  readonly access: "read" | "write" | "fetch";
  readonly userMode: boolean;
}

export interface Outcome {
  /** Page-fault error code, or -1: the access is done. */
  readonly fault: number;
  readonly directoryAccessed: boolean;
  readonly directoryDirty: boolean;
  readonly tableAccessed: boolean;
  readonly tableDirty: boolean;
}

export function outcome(s: Situation): Outcome {
  const { directory, table } = s;
  const usesTable = !s.large;

  // 4.7: "no translation for the linear address": a P flag is 0 in an entry used, or a reserved bit is set in one.
  const directoryMissing = !directory.present;
  const directoryReserved = !directoryMissing && hasReserved(s, directory);
  const reachesTable = usesTable && !directoryMissing && !directoryReserved;
  const tableMissing = reachesTable && !table.present;
  const tableReserved = reachesTable && !tableMissing && hasReserved(s, table);
  const missing = directoryMissing || tableMissing;
  const reserved = directoryReserved || tableReserved;

  const refused = !missing && !reserved && !mayAccess(s);
  const done = !missing && !reserved && !refused;

  // 4.7, the error code: P (bit 0), W/R (1), U/S (2), RSVD (3), I/D (4).
  let code = 0;
  if (!missing) code += 1; // "0 if there is no translation because the P flag was 0"; a reserved bit has P = 1
  if (s.access === "write") code += 2;
  if (s.userMode) code += 4;
  if (reserved) code += 8;
  // I/D: an instruction fetch, and (CR4.PAE = 1 and IA32_EFER.NXE = 1); CR4.SMEP does not exist here.
  if (s.access === "fetch" && s.pae && s.executeDisableEnable) code += 16;

  // 4.8: A of an entry is set when it is used in a translation; D, of the entry that maps the page, on a write. What
  // faults is no translation; but an entry that names a table was used before the fault below it was seen, and
  // processors set its A then (the manual leaves it open; what is not set is the entry that faults).
  const wrote = done && s.access === "write";
  return {
    fault: done ? -1 : code,
    directoryAccessed: directory.accessed || reachesTable || (s.large && done),
    directoryDirty: directory.dirty || (s.large && wrote),
    tableAccessed: table.accessed || (usesTable && done),
    tableDirty: table.dirty || (usesTable && wrote),
  };
}

/** The same access after a supervisor's read of the same address: that one leaves accessed flags. */
export function outcomeAfterRead(s: Situation): Outcome {
  const read = outcome({ ...s, access: "read", userMode: false });
  return outcome({
    ...s,
    directory: { ...s.directory, accessed: read.directoryAccessed },
    table: { ...s.table, accessed: read.tableAccessed },
  });
}

/** 4.4.2 and 4.7: bit 63 is reserved too unless IA32_EFER.NXE = 1. With 32-bit paging it does not exist. */
function hasReserved(s: Situation, entry: Flags): boolean {
  return entry.reserved || (s.pae && entry.executeDisable && !s.executeDisableEnable);
}

/** 4.6: access rights, determined by the entries used together. */
function mayAccess(s: Situation): boolean {
  const used = s.large ? [s.directory] : [s.directory, s.table];
  const userPage = used.every((entry) => entry.user); // a user-mode address: U/S = 1 in every entry
  const writable = used.every((entry) => entry.write);
  const executable = !(s.pae && s.executeDisableEnable) || used.every((entry) => !entry.executeDisable);
  if (s.userMode) {
    // 4.6.1, user-mode accesses: never to supervisor-mode addresses.
    if (!userPage) return false;
    if (s.access === "write") return writable;
    return s.access === "fetch" ? executable : true;
  }
  // Supervisor-mode accesses, without SMEP, SMAP and protection keys.
  if (s.access === "write") return writable || !s.writeProtect;
  return s.access === "fetch" ? executable : true;
}
