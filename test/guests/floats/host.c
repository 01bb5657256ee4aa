/* The host's program around floats.c. */
#include <stdarg.h>
#include <stdio.h>

#include "floats.h"

static double far_away[3 * 48 * 48];

void print(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprintf(format, args);
    va_end(args);
}

int main(void)
{
    unsigned short word = 0x37f;

    __asm__ volatile("fldcw %0" : : "m"(word));
    floats(far_away);
    return 0;
}
