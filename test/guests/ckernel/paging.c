/*
 * 2-level paging (SDM vol. 3, 4.3): the first 16 MiB one to one, and a region at 0x40000000 whose pages appear when
 * they are touched, each from a frame far from its neighbour's.
 */
#include "ckernel.h"

#define PRESENT 0x01u
#define WRITABLE 0x02u
#define ACCESSED 0x20u
#define DIRTY 0x40u
#define PAGE (PRESENT | WRITABLE | ACCESSED | DIRTY)

#define REGION 0x40000000u
#define REGION_PAGES 2048u /* two page tables */
#define POOL 0x00800000u   /* 4 MiB of frames, handed out 37 apart */
#define POOL_FRAMES 1024u

static u32 directory[1024] __attribute__((aligned(4096)));
static u32 low_tables[4][1024] __attribute__((aligned(4096)));
static u32 region_tables[2][1024] __attribute__((aligned(4096)));
static u32 idt[64];
static u32 handed_out;

extern void page_fault_entry(void);
extern void load_idt(const void *pointer);

void page_fault(u32 error, u32 address);

static inline void set_cr3(const void *table)
{
    __asm__ volatile("movl %0, %%cr3" : : "r"(table) : "memory");
}

static inline void invlpg(u32 address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static u32 *pte_of(u32 address)
{
    u32 page = (address - REGION) >> 12;
    return &region_tables[page >> 10][page & 1023];
}

void page_fault(u32 error, u32 address)
{
    if ((error & 1) || address < REGION || address >= REGION + REGION_PAGES * 4096 || handed_out == POOL_FRAMES) {
        print("end: page fault %x at %08x\n", error, address);
        for (;;)
            __asm__ volatile("cli; hlt");
    }
    *pte_of(address) = (POOL + (handed_out++ * 37 % POOL_FRAMES) * 4096) | PAGE;
}

void paging_init(void)
{
    struct __attribute__((packed)) {
        u16 limit;
        u32 base;
    } pointer = {sizeof idt - 1, (u32)idt};
    u32 handler = (u32)page_fault_entry;
    u32 cr0;

    idt[28] = (handler & 0xffff) | 0x08 << 16;
    idt[29] = (handler & 0xffff0000) | 0x8e00;
    load_idt(&pointer);
    for (u32 i = 0; i < 4096; i++)
        low_tables[i >> 10][i & 1023] = (i << 12) | PAGE;
    for (u32 i = 0; i < 4; i++)
        directory[i] = (u32)low_tables[i] | PAGE;
    directory[REGION >> 22] = (u32)region_tables[0] | PAGE;
    directory[(REGION >> 22) + 1] = (u32)region_tables[1] | PAGE;
    set_cr3(directory);
    __asm__ volatile("movl %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("movl %0, %%cr0" : : "r"(cr0 | 0x80010000u) : "memory");
}

u32 pages_on_demand(void)
{
    return handed_out;
}

/* Exchanges pages by their entries: afterwards the region reads backwards. Answers a sum over it. */
u32 paging_stage(void)
{
    volatile u32 *region = (volatile u32 *)REGION;
    u32 sum = 0;

    for (u32 i = 0; i < 512; i++)
        region[i * 2 * 1024 + i] = i * i + 1; /* every second page, another offset in each */
    for (u32 i = 0; i < 256; i++) {
        u32 *a = pte_of(REGION + i * 8192), *b = pte_of(REGION + (511 - i) * 8192);
        u32 swap = *a;
        *a = *b;
        *b = swap;
        invlpg(REGION + i * 8192);
        invlpg(REGION + (511 - i) * 8192);
    }
    for (u32 i = 0; i < 512; i++)
        sum = sum * 31 + region[i * 2 * 1024 + (511 - i)];
    return sum;
}
