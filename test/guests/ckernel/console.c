/* Text on COM1, polled, and a printf of %s %c %d %u %x (with width and zeros). */
#include "ckernel.h"

#define COM1 0x3f8

static inline void out8(u16 port, u8 value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline u8 in8(u16 port)
{
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

void console_init(void)
{
    out8(COM1 + 1, 0);
    out8(COM1 + 3, 3);
    out8(COM1 + 4, 3);
}

static void put(char c)
{
    while (!(in8(COM1 + 5) & 0x20))
        ;
    out8(COM1, (u8)c);
}

static void put_number(u32 value, u32 base, u32 width, char fill)
{
    char digits[32];
    u32 n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    for (; width > n; width--)
        put(fill);
    while (n)
        put(digits[--n]);
}

void print(const char *format, ...)
{
    __builtin_va_list args;

    __builtin_va_start(args, format);
    for (; *format; format++) {
        u32 width = 0;
        char fill = ' ';

        if (*format != '%') {
            put(*format);
            continue;
        }
        format++;
        if (*format == '0')
            fill = '0';
        while (*format >= '0' && *format <= '9')
            width = width * 10 + (u32)(*format++ - '0');
        switch (*format) {
        case 's':
            for (const char *s = __builtin_va_arg(args, const char *); *s; s++)
                put(*s);
            break;
        case 'c':
            put((char)__builtin_va_arg(args, int));
            break;
        case 'd': {
            int value = __builtin_va_arg(args, int);
            if (value < 0)
                put('-');
            put_number(value < 0 ? 0u - (u32)value : (u32)value, 10, width, fill);
            break;
        }
        case 'u':
            put_number(__builtin_va_arg(args, u32), 10, width, fill);
            break;
        case 'x':
            put_number(__builtin_va_arg(args, u32), 16, width, fill);
            break;
        default:
            put(*format);
        }
    }
    __builtin_va_end(args);
}
