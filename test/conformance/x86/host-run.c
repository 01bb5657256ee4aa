/*
 * Runs instructions on the host processor: cases come as records on standard input, results go to standard output.
 * Built with gcc -m32 by host.ts, which has the same record layouts. Only unprivileged instructions, one a case.
 * With `small` the instruction runs in a 16-bit code segment of the LDT whose base is CODE.
 */
#include <asm/ldt.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CODE 0x20000000u
#define LANDING 0x40 /* second way out, for branches */
#define DATA 0x20100000u
#define LOW 0x9000u /* data for 16-bit addresses, where the kernel lets us have it */
#define STACK 0x20200000u
#define WINDOW 0x800 /* offset of the window of bytes in each page */
#define BYTES 128

struct in {
  uint32_t length;
  uint8_t code[16];
  uint32_t regs[8];
  uint32_t eflags;
  uint32_t data_page;
  uint8_t data[BYTES];
  uint8_t stack[BYTES];
  uint32_t small;
};
struct out {
  uint32_t regs[8];
  uint32_t eflags;
  uint32_t path;
  uint32_t signal;
  uint8_t data[BYTES];
  uint8_t stack[BYTES];
};

struct in in;
struct out out;
uint32_t host_esp;
struct { uint32_t offset; uint16_t selector; } __attribute__((packed)) target;
static uint16_t flat;
#define SMALL 0x07 /* entry 0 of the LDT, level 3 */
static sigjmp_buf back;
static uint8_t alternate[65536];

void run_case(void);
void capture0(void);
void capture1(void);
__asm__(
    ".text\n.globl run_case, capture0, capture1\n"
    "run_case:\n pushal\n mov %esp, host_esp\n pushl in+52\n popfl\n"
    " mov in+20, %eax\n mov in+24, %ecx\n mov in+28, %edx\n mov in+32, %ebx\n"
    " mov in+36, %esp\n mov in+40, %ebp\n mov in+44, %esi\n mov in+48, %edi\n ljmp *target\n"
    "capture1:\n movl $1, out+36\n"
    "capture0:\n mov %eax, out+0\n mov %ecx, out+4\n mov %edx, out+8\n mov %ebx, out+12\n"
    " mov %esp, out+16\n mov %ebp, out+20\n mov %esi, out+24\n mov %edi, out+28\n"
    " mov host_esp, %esp\n pushfl\n popl out+32\n pushl $0x202\n popfl\n popal\n ret\n");

static void caught(int number) {
  out.signal = number;
  siglongjmp(back, 1);
}

static int page(uint32_t at, int prot) {
  return mmap((void *)at, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == (void *)at;
}
/* A far jump to flat code, in 32-bit code and (with the operand-size prefix) in 16-bit code. */
static void jump(uint32_t from, void (*to)(void), int small) {
  uint8_t *at = (uint8_t *)from;
  if (small) *at++ = 0x66;
  *at++ = 0xea;
  *(uint32_t *)at = (uint32_t)to;
  *(uint16_t *)(at + 4) = flat;
}
static int small_segment(void) {
  struct user_desc d = {.entry_number = 0, .base_addr = CODE, .limit = 0xfff, .contents = 2, .useable = 1};
  return syscall(SYS_modify_ldt, 1, &d, sizeof d) == 0;
}

int main(int argc, char **argv) {
  if (!page(CODE, PROT_READ | PROT_WRITE | PROT_EXEC) || !page(DATA, PROT_READ | PROT_WRITE) ||
      !page(STACK, PROT_READ | PROT_WRITE))
    return 2;
  int low = page(LOW, PROT_READ | PROT_WRITE);
  int small = small_segment();
  if (argc > 1) {
    printf("%s %s\n", low ? "low" : "high", small ? "small" : "big");
    return 0;
  }
  __asm__("mov %%cs, %0" : "=r"(flat));
  stack_t alt = {.ss_sp = alternate, .ss_size = sizeof alternate};
  sigaltstack(&alt, NULL);
  struct sigaction action = {.sa_handler = caught, .sa_flags = SA_ONSTACK | SA_NODEFER};
  int signals[] = {SIGFPE, SIGSEGV, SIGILL, SIGTRAP, SIGBUS};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    memset(&out, 0, sizeof out);
    memcpy((void *)CODE, in.code, 16);
    jump(CODE + in.length, capture0, in.small);
    jump(CODE + LANDING, capture1, in.small);
    target.offset = in.small ? 0 : CODE;
    target.selector = in.small ? SMALL : flat;
    uint8_t *data = (uint8_t *)(in.data_page + WINDOW);
    memcpy(data, in.data, BYTES);
    memcpy((void *)(STACK + WINDOW), in.stack, BYTES);
    if (sigsetjmp(back, 1) == 0) run_case();
    memcpy(out.data, data, BYTES);
    memcpy(out.stack, (void *)(STACK + WINDOW), BYTES);
    fwrite(&out, sizeof out, 1, stdout);
  }
  return 0;
}
