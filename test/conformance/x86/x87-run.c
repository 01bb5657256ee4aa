/*
 * Runs x87 instructions on the host processor: cases come as records on standard input, results go to standard output.
 * Built with gcc -m32 by x87-host.ts, which has the same record layouts. The state goes in through FRSTOR and comes
 * back through FNSAVE, which reports no exception; what a waiting one raises comes from the signal's own frame.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define CODE 0x20000000u
#define DATA 0x20100000u
#define BYTES 160
#define IMAGE 108

struct in {
  uint32_t length;
  uint8_t code[16];
  uint32_t eax;
  uint32_t eflags;
  uint8_t image[IMAGE];
  uint8_t data[BYTES];
};
struct out {
  uint32_t eax;
  uint32_t eflags;
  uint32_t signal;
  uint8_t image[IMAGE];
  uint8_t data[BYTES];
};

struct in in;
struct out out;
uint32_t host_esp, target = CODE;
static sigjmp_buf back;
static uint8_t alternate[65536];

void run_case(void);
void capture(void);
__asm__(
    ".text\n.globl run_case, capture\n"
    "run_case:\n pushal\n mov %esp, host_esp\n fninit\n frstor in+28\n pushl in+24\n popfl\n mov in+20, %eax\n"
    " jmp *target\n"
    "capture:\n fnsave out+12\n mov %eax, out+0\n mov host_esp, %esp\n pushfl\n popl out+4\n"
    " pushl $0x202\n popfl\n popal\n ret\n");

static void caught(int number, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  (void)info;
  out.signal = number;
  if (uc->uc_mcontext.fpregs) memcpy(out.image, uc->uc_mcontext.fpregs, IMAGE);
  siglongjmp(back, 1);
}

int main(void) {
  if (mmap((void *)CODE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
          (void *)CODE ||
      mmap((void *)DATA, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != (void *)DATA)
    return 2;
  stack_t alt = {.ss_sp = alternate, .ss_size = sizeof alternate};
  sigaltstack(&alt, NULL);
  struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_ONSTACK | SA_NODEFER | SA_SIGINFO};
  int signals[] = {SIGFPE, SIGSEGV, SIGILL, SIGTRAP, SIGBUS};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    memset(&out, 0, sizeof out);
    memcpy((void *)CODE, in.code, 16);
    uint8_t *way_out = (uint8_t *)(CODE + in.length);
    *way_out = 0xe9;
    *(uint32_t *)(way_out + 1) = (uint32_t)capture - ((uint32_t)way_out + 5);
    memcpy((void *)DATA, in.data, BYTES);
    if (sigsetjmp(back, 1) == 0) run_case();
    memcpy(out.data, (void *)DATA, BYTES);
    fwrite(&out, sizeof out, 1, stdout);
  }
  return 0;
}
