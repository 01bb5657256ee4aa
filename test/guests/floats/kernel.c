/* The kernel around floats.c: paging with pages on demand (of the C test kernel), and x87 turned on as kernels do it. */
#include "../ckernel/ckernel.h"

void floats(double *far);

/* gcc may call these */
void *memcpy(void *to, const void *from, u32 length)
{
    void *start = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
    return start;
}

void *memset(void *to, int value, u32 length)
{
    void *start = to;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(length) : "a"(value) : "memory");
    return start;
}

void kernel_main(u32 magic, const u32 *info)
{
    u32 cr0;

    (void)magic;
    (void)info;
    console_init();
    paging_init();
    __asm__ volatile("movl %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("movl %0, %%cr0" : : "r"((cr0 & ~0xcu) | 0x22u)); /* EM, TS off; NE, MP on */
    __asm__ volatile("fninit");
    /* An operand of eight bytes that lies across two pages, neither of them there yet. */
    floats((double *)(0x40001000 - 4));
}
