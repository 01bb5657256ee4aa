/* Floating point as compiled code uses it, on x87: the same object code runs in the kernel and on the host. */
#include "floats.h"

#define SIZE 48
#define POINTS 256

static void show(const char *name, double value)
{
    union {
        double d;
        u32 word[2];
    } bits = {value};

    print("%s %08x%08x\n", name, bits.word[1], bits.word[0]);
}

static void show_long(const char *name, long double value)
{
    union {
        long double x;
        u32 word[3];
    } bits = {value};

    print("%s %x %08x%08x\n", name, bits.word[2] & 0xffff, bits.word[1], bits.word[0]);
}

/* x87's own functions; their last bits are each processor's own, so what is shown of them is rounded well below. */
static long double x87_sin(long double x)
{
    __asm__("fsin" : "+t"(x));
    return x;
}
static long double x87_cos(long double x)
{
    __asm__("fcos" : "+t"(x));
    return x;
}
static long double x87_atan(long double y, long double x)
{
    __asm__("fpatan" : "=t"(x) : "0"(x), "u"(y) : "st(1)");
    return x;
}
static long double x87_ylog2(long double x, long double y)
{
    __asm__("fyl2x" : "=t"(x) : "0"(x), "u"(y) : "st(1)");
    return x;
}
static long double x87_exp2(long double x)
{
    long double whole = x, power;

    __asm__("frndint" : "+t"(whole));
    x -= whole;
    __asm__("f2xm1" : "+t"(x));
    __asm__("fscale" : "=t"(power) : "0"(x + 1), "u"(whole));
    return power;
}

/* As a whole number of 10^-12: far above the last bits. */
static void show_rounded(const char *name, long double value)
{
    long long n = (long long)(value * 1e12L + (value < 0 ? -0.5L : 0.5L));

    print("%s %08x%08x\n", name, (u32)(n >> 32), (u32)n);
}

static void matrices(double *far)
{
    double *a = far, *b = far + SIZE * SIZE, *c = far + 2 * SIZE * SIZE, sum = 0;

    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            a[i * SIZE + j] = 1.0 / (i + j + 1);
            b[i * SIZE + j] = (i - j) / 7.0 + (float)(i * j) / 3;
        }
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            double cell = 0;
            for (int k = 0; k < SIZE; k++)
                cell += a[i * SIZE + k] * b[k * SIZE + j];
            c[i * SIZE + j] = cell;
            sum += cell;
        }
    show("product", sum);
    show("corner", c[SIZE * SIZE - 1]);

    /* Elimination of a well-conditioned system */
    for (int i = 0; i < SIZE; i++)
        a[i * SIZE + i] += SIZE;
    for (int k = 0; k < SIZE; k++)
        for (int i = k + 1; i < SIZE; i++) {
            double factor = a[i * SIZE + k] / a[k * SIZE + k];
            for (int j = k; j < SIZE; j++)
                a[i * SIZE + j] -= factor * a[k * SIZE + j];
        }
    sum = 1;
    for (int i = 0; i < SIZE; i++)
        sum *= a[i * SIZE + i] / SIZE;
    show("determinant", sum);
}

static u32 mandelbrot(void)
{
    u32 inside = 0;

    for (int py = 0; py < 24; py++)
        for (int px = 0; px < 32; px++) {
            double x = 0, y = 0, cx = px / 12.0 - 2, cy = py / 12.0 - 1;
            int i;
            for (i = 0; i < 64 && x * x + y * y < 4; i++) {
                double next = x * x - y * y + cx;
                y = 2 * x * y + cy;
                x = next;
            }
            inside = inside * 31 + (u32)i;
        }
    return inside;
}

static double newton_root(double value)
{
    double root = value;

    for (int i = 0; i < 8; i++)
        root = (root + value / root) / 2;
    return root;
}

/* A wave's spectrum by the definition: its peaks must be where they were put. */
static void spectrum(void)
{
    static float wave[POINTS];
    const long double turn = 6.283185307179586476925286766559L / POINTS;

    for (int i = 0; i < POINTS; i++)
        wave[i] = (float)(x87_sin(turn * 5 * i) + 0.5L * x87_cos(turn * 17 * i));
    for (int k = 4; k < 19; k++) {
        double re = 0, im = 0;
        for (int i = 0; i < POINTS; i++) {
            re += wave[i] * (double)x87_cos(turn * ((k * i) % POINTS));
            im -= wave[i] * (double)x87_sin(turn * ((k * i) % POINTS));
        }
        print("%d:%d ", k, (int)(re * re + im * im + 0.5));
    }
    print("\n");
}

/* Two states of the unit, exchanged by FNSAVE and FRSTOR as a kernel switches tasks. */
static void switches(void)
{
    static unsigned char states[2][108];
    double results[2];

    __asm__ volatile("fninit; fldl %1; fldl %2; fnsave %0" : "=m"(states[0]) : "m"((double){2.5}), "m"((double){4}));
    __asm__ volatile("fninit; fldl %1; fldl %2; fnsave %0" : "=m"(states[1]) : "m"((double){9}), "m"((double){3}));
    for (int i = 0; i < 8; i++)
        __asm__ volatile("frstor %0; fmul %%st(1), %%st; fnsave %0" : "+m"(states[i & 1]));
    for (int i = 0; i < 2; i++)
        __asm__ volatile("frstor %1; fstpl %0; fninit" : "=m"(results[i]) : "m"(states[i]));
    show("task 0", results[0]);
    show("task 1", results[1]);
}

static void roundings(void)
{
    static const volatile double values[] = {2.5, -2.5, 1e10, 0.1, 3.7e-5};
    unsigned short word, saved;

    __asm__ volatile("fnstcw %0" : "=m"(saved));
    for (u32 rounding = 0; rounding < 4; rounding++) {
        word = (unsigned short)((saved & ~0xf00) | (rounding << 10) | (rounding == 3 ? 0x200 : rounding == 2 ? 0 : 0x300));
        __asm__ volatile("fldcw %0" : : "m"(word));
        for (u32 i = 0; i < sizeof values / sizeof *values; i++) {
            long long whole;
            long double third = (long double)values[i] / 3;
            __asm__ volatile("fldl %1; fistpll %0" : "=m"(whole) : "m"(values[i]) : "st");
            print("%x:%08x%08x ", rounding, (u32)(whole >> 32), (u32)whole);
            show_long("third", third);
        }
    }
    __asm__ volatile("fldcw %0" : : "m"(saved));
}

static void specials(void)
{
    volatile double zero = 0, huge = 1e308, tiny = 2e-308;
    double infinity = 1 / zero, nan = zero / zero;

    show("infinity", infinity);
    show("overflow", huge * 10);
    show("denormal", tiny / 1024);
    show("negative zero", -zero);
    print("nan %d%d%d%d\n", nan == nan, nan < 1, nan > 1, __builtin_isunordered(nan, zero));
    print("order %d%d%d%d\n", infinity > huge, -infinity < tiny, zero == -zero, tiny / 1e30 > 0);
    print("to int %d %d %d\n", (int)2.99, (int)-2.99, (int)(float)16777217);
}

void floats(double *far)
{
    long double factorial = 1;
    float harmonic = 0;

    matrices(far);
    print("mandelbrot %08x\n", mandelbrot());
    show("root", newton_root(2));
    show("fsqrt", __builtin_sqrt(1e-3));
    for (int i = 1; i <= 40; i++) {
        factorial *= i;
        harmonic += 1.0f / (float)i;
    }
    show_long("factorial", factorial);
    show("harmonic", harmonic);
    spectrum();
    for (int i = 1; i < 6; i++) {
        show_rounded("sin", x87_sin(i * 1000.25L));
        show_rounded("atan", x87_atan(i - 3, i * i - 5));
        show_rounded("log2", x87_ylog2(i * 0.3L, 1));
        show_rounded("exp2", x87_exp2(i * 1.7L - 4));
    }
    switches();
    roundings();
    specials();
    print("end: done\n");
}
