/**
 * The test vectors of docs/kvm-shadow-mmu.md 6.5, rows 1 to 41 but 35 (long mode), as data. `sps`: shadow pages of the
 * gfn, by role word. Each write says what it clears: role word -> spte indices, or "zap" for all pages of these roles.
 */
export interface VectorWrite {
  readonly offset: number;
  readonly bytes: number;
  /** Role word and the indices cleared in it; pages not named stay whole. */
  readonly clears?: Readonly<Record<number, readonly number[]>>;
  /** Roles zapped whole. */
  readonly zaps?: readonly number[];
  /** The write goes to another gfn. */
  readonly elsewhere?: boolean;
  /** An ordinary fixed fault comes before this write. */
  readonly faultBefore?: boolean;
  /** The detector's count after the write. */
  readonly count?: number;
}

export interface Vector {
  readonly row: number;
  readonly sps: readonly number[];
  /** The pages are the roots of the present address space. */
  readonly roots?: boolean;
  readonly writes: readonly VectorWrite[];
}

const PT = [0x12, 0x112];
const PD = [0x22, 0x122, 0x222, 0x322];
const SELF = [...PD, ...PT];
const PAE_PT = [0x13];
const PAE_PD = [0x23];
const META = [0x70012, 0x70112];

const one = (
  row: number,
  sps: readonly number[],
  offset: number,
  bytes: number,
  clears: Readonly<Record<number, readonly number[]>>,
): Vector => ({ row, sps, writes: [{ offset, bytes, clears }] });

const zap = (row: number, sps: readonly number[], offset: number, bytes: number): Vector => ({
  row,
  sps,
  writes: [{ offset, bytes, zaps: sps }],
});

export const VECTORS: readonly Vector[] = [
  one(1, PT, 0x000, 4, { 18: [0] }),
  one(2, PT, 0x004, 4, { 18: [1] }),
  one(3, PT, 0x7fc, 4, { 18: [511] }),
  one(4, PT, 0x800, 4, { 274: [0] }),
  one(5, PT, 0x804, 4, { 274: [1] }),
  one(6, PT, 0xffc, 4, { 274: [511] }),
  one(7, [0x12], 0x804, 4, {}),
  zap(8, PT, 0x802, 4),
  zap(9, PT, 0x801, 2),
  zap(10, PT, 0x800, 1),
  zap(11, PT, 0x800, 8),
  one(12, PD, 0x000, 4, { 34: [0, 1] }),
  one(13, PD, 0x004, 4, { 34: [2, 3] }),
  one(14, PD, 0x3fc, 4, { 34: [510, 511] }),
  one(15, PD, 0x400, 4, { 290: [0, 1] }),
  one(16, PD, 0x800, 4, { 546: [0, 1] }),
  one(17, PD, 0xbfc, 4, { 546: [510, 511] }),
  one(18, PD, 0xc00, 4, { 802: [0, 1] }),
  one(19, PD, 0xffc, 4, { 802: [510, 511] }),
  { row: 20, sps: PD, roots: true, writes: [{ offset: 0x402, bytes: 4, zaps: PD }] },
  one(21, SELF, 0xc00, 4, { 802: [0, 1], 274: [256] }),
  one(22, SELF, 0x000, 4, { 34: [0, 1], 18: [0] }),
  one(23, PAE_PT, 0x000, 8, { 19: [0] }),
  one(24, PAE_PT, 0x7f8, 8, { 19: [255] }),
  one(25, PAE_PT, 0x800, 8, { 19: [256] }),
  one(26, PAE_PT, 0x804, 4, { 19: [256] }),
  one(27, PAE_PT, 0xff8, 8, { 19: [511] }),
  one(28, PAE_PT, 0xffc, 4, { 19: [511] }),
  zap(29, PAE_PT, 0x806, 4),
  zap(30, PAE_PT, 0x804, 8),
  one(31, PAE_PD, 0x000, 8, { 35: [0] }),
  one(32, PAE_PD, 0x010, 8, { 35: [2] }),
  one(33, PAE_PD, 0x014, 4, { 35: [2] }),
  one(34, PAE_PD, 0xff8, 8, { 35: [511] }),
  one(36, [...PT, ...PAE_PT], 0x808, 4, { 274: [2], 19: [257] }),
  {
    row: 37,
    sps: [...PT, ...PAE_PT],
    writes: [{ offset: 0x808, bytes: 8, zaps: PT, clears: { 19: [257] } }],
  },
  { row: 38, sps: META, writes: [{ offset: 0x800, bytes: 2, count: 1 }] },
  {
    row: 39,
    sps: PT,
    writes: [
      { offset: 0, bytes: 4, clears: { 18: [0] }, count: 1 },
      { offset: 4, bytes: 4, clears: { 18: [1] }, count: 2 },
      { offset: 8, bytes: 4, zaps: PT, count: 3 },
    ],
  },
  {
    row: 40,
    sps: PT,
    writes: [
      { offset: 0, bytes: 4, clears: { 18: [0] }, count: 1 },
      { offset: 4, bytes: 4, clears: { 18: [1] }, count: 2 },
      { offset: 8, bytes: 4, clears: { 18: [2] }, count: 1, faultBefore: true },
    ],
  },
  {
    row: 41,
    sps: PT,
    writes: [
      { offset: 0, bytes: 4, clears: { 18: [0] }, count: 1 },
      { offset: 4, bytes: 4, elsewhere: true, count: 1 },
      { offset: 8, bytes: 4, clears: { 18: [2] }, count: 1 },
    ],
  },
];
