/* Algorithms with known answers. Plain C of the kind kernels are made of; no 64-bit division from libgcc. */
#include "ckernel.h"

u32 next_random(u32 *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Quicksort of [from, to). */
void sort(u32 *from, u32 *to)
{
    while (to - from > 1) {
        u32 pivot = from[(to - from) / 2];
        u32 *low = from, *high = to - 1;

        while (low <= high) {
            while (*low < pivot)
                low++;
            while (*high > pivot)
                high--;
            if (low <= high) {
                u32 swap = *low;
                *low++ = *high;
                *high-- = swap;
            }
        }
        sort(from, high + 1);
        from = low;
    }
}

/* Schoolbook division, bit by bit. */
u64 divide(u64 dividend, u32 divisor, u32 *remainder)
{
    u64 quotient = 0, rest = 0;

    for (int bit = 63; bit >= 0; bit--) {
        rest = rest << 1 | (dividend >> bit & 1);
        if (rest >= divisor) {
            rest -= divisor;
            quotient |= 1ull << bit;
        }
    }
    *remainder = (u32)rest;
    return quotient;
}

u32 crc32(const void *data, u32 length)
{
    const u8 *bytes = data;
    u32 crc = ~0u;

    while (length--) {
        crc ^= *bytes++;
        for (int i = 0; i < 8; i++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* The first 32 bits of the fractional part of the cube (or square) root of n, by integer search. */
static u32 root_fraction(u32 n, int cube)
{
    u64 low = 0, high = 1ull << 36; /* root * 2^32 */

    while (high - low > 1) {
        u64 middle = (low + high) / 2;
        /* middle^2 (or ^3) against n * 2^64 (2^96), in 32-bit limbs */
        u32 limbs[5] = {1, 0, 0, 0, 0}, greater;
        int power = cube ? 3 : 2;

        for (int p = 0; p < power; p++) {
            u64 carry = 0;
            u32 high_part = (u32)(middle >> 32), before[5];
            for (int i = 0; i < 5; i++)
                before[i] = limbs[i];
            for (int i = 0; i < 5; i++) {
                carry += (u64)before[i] * (u32)middle;
                limbs[i] = (u32)carry;
                carry >>= 32;
            }
            carry = 0;
            for (int i = 0; i < 4; i++) {
                carry += (u64)before[i] * high_part + limbs[i + 1];
                limbs[i + 1] = (u32)carry;
                carry >>= 32;
            }
        }
        if (cube)
            greater = limbs[4] || limbs[3] >= n;
        else
            greater = limbs[4] || limbs[3] || limbs[2] >= n;
        if (greater)
            high = middle;
        else
            low = middle;
    }
    return (u32)low;
}

static u32 rotate(u32 x, int n)
{
    return x >> n | x << (32 - n);
}

/* SHA-256 (FIPS 180-4); its constants are computed from the primes they come from. At most 1000 bytes. */
void sha256(const void *data, u32 length, u8 digest[32])
{
    static u8 message[1088];
    static u32 k[64];
    u32 h[8], w[64], found = 0;
    u32 padded = (length + 9 + 63) / 64 * 64;

    for (u32 n = 2; found < 64; n++) {
        u32 prime = 1;
        for (u32 d = 2; d * d <= n; d++)
            if (n % d == 0)
                prime = 0;
        if (!prime)
            continue;
        if (found < 8)
            h[found] = root_fraction(n, 0);
        k[found++] = root_fraction(n, 1);
    }
    for (u32 i = 0; i < padded; i++)
        message[i] = i < length ? ((const u8 *)data)[i] : i == length ? 0x80 : 0;
    for (int i = 0; i < 4; i++)
        message[padded - 1 - i] = (u8)(length * 8 >> 8 * i);
    for (u32 block = 0; block < padded; block += 64) {
        u32 a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], x = h[7];

        for (int i = 0; i < 64; i++) {
            if (i < 16) {
                u32 word;
                __builtin_memcpy(&word, message + block + 4 * i, 4);
                w[i] = __builtin_bswap32(word);
            } else {
                u32 s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
                u32 s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
                w[i] = w[i - 16] + s0 + w[i - 7] + s1;
            }
            u32 t1 = x + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i];
            u32 t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
            x = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
        }
        h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e, h[5] += f, h[6] += g, h[7] += x;
    }
    for (int i = 0; i < 32; i++)
        digest[i] = (u8)(h[i / 4] >> (24 - i % 4 * 8));
}

static u32 place(u32 row, u32 size, u32 columns, u32 left, u32 right)
{
    u32 count = 0;

    if (row == size)
        return 1;
    for (u32 free = ~(columns | left | right) & ((1u << size) - 1); free; free &= free - 1) {
        u32 bit = free & -free;
        count += place(row + 1, size, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return count;
}

u32 queens(u32 size)
{
    return place(0, size, 0, 0, 0);
}

u32 primes_below(u32 limit)
{
    static u8 composite[20000];
    u32 count = 0;

    for (u32 i = 2; i < limit; i++) {
        if (composite[i])
            continue;
        count++;
        for (u32 j = i * 2; j < limit; j += i)
            composite[j] = 1;
    }
    return count;
}

u32 ackermann(u32 m, u32 n)
{
    if (m == 0)
        return n + 1;
    return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

static u32 add(u32 a, u32 b) { return a + b; }
static u32 subtract(u32 a, u32 b) { return a - b; }
static u32 times(u32 a, u32 b) { return a * b; }
static u32 over(u32 a, u32 b) { return a / b; }

/* Reverse Polish notation; one character an operator, decimal numbers, spaces between. */
u32 evaluate(const char *expression)
{
    static u32 (*const operators[])(u32, u32) = {add, subtract, times, over};
    u32 stack[16], depth = 0;

    for (const char *p = expression; *p; p++) {
        if (*p >= '0' && *p <= '9') {
            u32 value = 0;
            while (*p >= '0' && *p <= '9')
                value = value * 10 + (u32)(*p++ - '0');
            stack[depth++] = value;
            if (!*p)
                break;
        }
        for (u32 i = 0; i < 4; i++)
            if (*p == "+-*/"[i]) {
                depth--;
                stack[depth - 1] = operators[i](stack[depth - 1], stack[depth]);
            }
    }
    return stack[0];
}

void multiply(const int *a, const int *b, int *product, int size)
{
    for (int i = 0; i < size; i++)
        for (int j = 0; j < size; j++) {
            int sum = 0;
            for (int k = 0; k < size; k++)
                sum += a[i * size + k] * b[k * size + j];
            product[i * size + j] = sum;
        }
}
