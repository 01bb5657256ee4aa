/* What the parts of the C test kernel share. */
#ifndef CKERNEL_H
#define CKERNEL_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

/* console.c */
void console_init(void);
void print(const char *format, ...);

/* paging.c */
void paging_init(void);
u32 pages_on_demand(void);
u32 paging_stage(void);

/* algorithms.c */
u32 next_random(u32 *state);
void sort(u32 *from, u32 *to);
u64 divide(u64 dividend, u32 divisor, u32 *remainder);
u32 crc32(const void *data, u32 length);
void sha256(const void *data, u32 length, u8 digest[32]);
u32 queens(u32 size);
u32 primes_below(u32 limit);
u32 ackermann(u32 m, u32 n);
u32 evaluate(const char *expression);
void multiply(const int *a, const int *b, int *product, int size);

#endif
