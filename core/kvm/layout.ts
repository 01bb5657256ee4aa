/**
 * Constants of the shadow MMU: bits of entries and sptes, pool sizes, and where the hypervisor's own pages lie in
 * host memory. docs/kvm-shadow-mmu.md 2.3 to 2.5, 4.1.
 */

// Bits of guest entries and sptes (low word).
export const PT_P = 1;
export const PT_W = 2;
export const PT_U = 4;
export const PT_PWT = 8;
export const PT_PCD = 0x10;
export const PT_A = 0x20;
export const PT_D = 0x40;
export const PT_PS = 0x80;
export const PT_G = 0x100;
/** Leaf: this gfn has no memory (MMIO). Level 2: PT_SHADOW_PS_MARK. */
export const PT_SHADOW_IO_MARK = 0x200;
/** What the guest allows: W and U shifted left by PT_SHADOW_BITS_OFFSET. */
export const PT_SHADOW_BITS_OFFSET = 9;
export const PT_SHADOW_WRITABLE = 0x400;
export const PT_SHADOW_USER = 0x800;
/** NX, bit 63: the top bit of the high word, as an int32. */
export const PT_NX_HIGH = 0x8000_0000 | 0;
/** Bits copied straight from a gpte into a leaf spte (PT32_PTE_COPY_MASK). */
export const PT_COPY_MASK = PT_P | PT_A | PT_D | PT_G;
/** Low bits of a non-leaf spte in the paging modes, and with paging off. */
export const LINK_PAGING = PT_P | PT_W | PT_U | PT_A;
export const LINK_NONPAGING = PT_P | PT_W | PT_U;

export const CR0_PE = 1;
export const CR0_TS = 8;
export const CR0_ET = 0x10;
export const CR0_WP = 0x1_0000;
export const CR0_NW = 0x2000_0000;
export const CR0_CD = 0x4000_0000;
export const CR0_PG = 0x8000_0000 | 0;
export const CR4_PSE = 0x10;
export const CR4_PAE = 0x20;
export const CR4_PGE = 0x80;
export const EFER_NXE = 0x800;

/** Size of the pool and number of hash buckets at the reference commit (4.1); a policy may have another (9.1). */
export const KVM_NUM_MMU_PAGES = 256;
/** The largest pool of any policy: headers and the frames from POOL_FRAME on are there for so many. */
export const MAX_MMU_PAGES = 1024;
export const KVM_MIN_FREE_MMU_PAGES = 5;
export const KVM_REFILL_PAGES = 25;
export const NR_PTE_CHAIN_ENTRIES = 5;
export const RMAP_EXT = 4;
/** Object caches (4.3). */
export const KVM_NR_MEM_OBJS = 20;
export const MIN_PTE_CHAINS = 4;
export const MIN_RMAP_DESCS = 1;

/** Host frame of pae_root: the four-entry table that the processor's CR3 names. */
export const PAE_ROOT_FRAME = 1;
export const PAE_ROOT_HPA = PAE_ROOT_FRAME << 12;
/** First host frame of the shadow pool; header i describes frame POOL_FRAME + i. */
export const POOL_FRAME = 256;
/** Low and high word of INVALID_PAGE. */
export const INVALID_WORD = -1;
/** `rootHpa` while there are no roots (INVALID_PAGE). */
export const INVALID_ROOT = -1;
