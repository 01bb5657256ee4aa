/* What the two programs around floats.c share: the kernel prints on COM1, the host's program on its output. */
#ifndef FLOATS_H
#define FLOATS_H

typedef unsigned int u32;

void print(const char *format, ...);

/* `far` has room for 3 * 48 * 48 doubles; in the kernel its pages appear when they are touched. */
void floats(double *far);

#endif
