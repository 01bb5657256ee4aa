/* The C test kernel: turns paging on and prints results that the test computes for itself. */
#include "ckernel.h"

#define NUMBERS 5000
#define SIZE 24

static u32 numbers[NUMBERS];
static int a[SIZE * SIZE], b[SIZE * SIZE], c[SIZE * SIZE];

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

static void sorting(u32 *where, const char *what)
{
    u32 state = 2463534242u, sum = 0, ordered = 1;

    for (u32 i = 0; i < NUMBERS; i++)
        where[i] = next_random(&state);
    sort(where, where + NUMBERS);
    for (u32 i = 0; i < NUMBERS; i++) {
        sum = sum * 31 + where[i];
        if (i && where[i - 1] > where[i])
            ordered = 0;
    }
    print("sort %s: %s, sum %08x\n", what, ordered ? "ordered" : "NOT ordered", sum);
}

static void division(void)
{
    u64 value = 1;
    u32 rest = 0, digits[20], n = 0;

    for (u32 i = 2; i <= 20; i++)
        value *= i;
    while (value) {
        value = divide(value, 10, &rest);
        digits[n++] = rest;
    }
    print("20! = ");
    while (n)
        print("%u", digits[--n]);
    print("\n");
}

void kernel_main(u32 magic, const u32 *info)
{
    static const char text[] = "shadow pages have quadrants";
    u8 digest[32];
    int trace = 0;

    console_init();
    print("ckernel: magic %08x, memory above 1 MiB %s\n", magic, info[2] >= 14 * 1024 ? "enough" : "too little");
    paging_init();
    sorting(numbers, "in low memory");
    sorting((u32 *)0x40000ff0, "on demand");
    print("pages on demand %u\n", pages_on_demand());
    print("exchanged pages %08x\n", paging_stage());
    print("pages on demand %u\n", pages_on_demand());
    division();
    print("crc32 %08x\n", crc32(text, sizeof text - 1));
    sha256(text, sizeof text - 1, digest);
    print("sha256 ");
    for (int i = 0; i < 32; i++)
        print("%02x", digest[i]);
    print("\n");
    print("queens %u, primes %u, ackermann %u\n", queens(8), primes_below(20000), ackermann(2, 9));
    print("rpn %u\n", evaluate("7 6 * 1000 3 / + 5 -"));
    for (int i = 0; i < SIZE * SIZE; i++) {
        a[i] = i % 17 - 8;
        b[i] = i % 23 - 11;
    }
    multiply(a, b, c, SIZE);
    for (int i = 0; i < SIZE; i++)
        trace += c[i * SIZE + i];
    print("matrix %d %d %d\n", trace, c[0], c[SIZE * SIZE - 1]);
    print("end: done\n");
}
