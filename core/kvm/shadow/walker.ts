/** The result of a walk of the guest's tables, filled in place by walk.ts. docs/kvm-shadow-mmu.md 5.3. */
export class Walker {
  ok = false;
  /** Level of the last entry: 1, or 2 for a large page; 0 with paging off. */
  level = 0;
  /** gfn of the frame as the reference computes it (without the PSE-36 bits), and the whole one. */
  gfn = 0;
  frame = 0;
  /** gfn of each table read, by level: table[0] is level 1's (table_gfn of the reference). */
  readonly table = new Float64Array(3);
  /** Lowest level whose table was read. */
  reached = 0;
  /** Byte offset of the last entry in its table, and the entry. */
  offset = 0;
  low = 0;
  high = 0;
  /** W and U ANDed over the entries above the leaf. */
  inherited = 0;
  /** NX ORed over the entries above the leaf. */
  inheritedNx = false;
  /** The walk set D of the leaf. */
  madeDirty = false;
  /** Page-fault error code when not ok. */
  error = 0;
}
