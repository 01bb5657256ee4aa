/**
 * The named bits of EFLAGS, CR0, CR4, EFER (SDM vol. 3, 2.3, 2.5 and 2.2.1) and of x87 (SDM vol. 1, 8.1.3 to 8.1.5), most significant first.
 */
export interface NamedBit {
  readonly name: string;
  readonly bit: number;
  readonly help: string;
}

export const EFLAGS: readonly NamedBit[] = [
  { name: "ID", bit: 21, help: "CPUID exists when it can be changed." },
  { name: "AC", bit: 18, help: "Alignment check." },
  { name: "RF", bit: 16, help: "Resume: no debug fault at the next instruction." },
  { name: "NT", bit: 14, help: "Nested task." },
  { name: "OF", bit: 11, help: "Overflow." },
  { name: "DF", bit: 10, help: "Direction: string instructions go down." },
  { name: "IF", bit: 9, help: "Interrupts enabled." },
  { name: "TF", bit: 8, help: "Trap after each instruction." },
  { name: "SF", bit: 7, help: "Sign." },
  { name: "ZF", bit: 6, help: "Zero." },
  { name: "AF", bit: 4, help: "Carry out of bit 3." },
  { name: "PF", bit: 2, help: "Parity of the low byte is even." },
  { name: "CF", bit: 0, help: "Carry." },
];

export const CR0: readonly NamedBit[] = [
  { name: "PG", bit: 31, help: "Paging." },
  { name: "CD", bit: 30, help: "Cache disabled." },
  { name: "NW", bit: 29, help: "Not write-through." },
  { name: "AM", bit: 18, help: "Alignment mask: EFLAGS.AC counts." },
  { name: "WP", bit: 16, help: "Write protect: CPL 0 obeys W too." },
  { name: "NE", bit: 5, help: "Numeric error." },
  { name: "ET", bit: 4, help: "Extension type." },
  { name: "TS", bit: 3, help: "Task switched." },
  { name: "EM", bit: 2, help: "Emulate the FPU." },
  { name: "MP", bit: 1, help: "Monitor the coprocessor." },
  { name: "PE", bit: 0, help: "Protected mode." },
];

export const CR4: readonly NamedBit[] = [
  { name: "OSFXSR", bit: 9, help: "The system uses FXSAVE and FXRSTOR." },
  { name: "PCE", bit: 8, help: "RDPMC at any CPL." },
  { name: "PGE", bit: 7, help: "Global pages." },
  { name: "MCE", bit: 6, help: "Machine check." },
  { name: "PAE", bit: 5, help: "Physical address extension: 8-byte entries." },
  { name: "PSE", bit: 4, help: "4 MiB pages in 2-level tables." },
  { name: "DE", bit: 3, help: "Debugging extensions." },
  { name: "TSD", bit: 2, help: "RDTSC at CPL 0 only." },
  { name: "PVI", bit: 1, help: "Protected-mode virtual interrupts." },
  { name: "VME", bit: 0, help: "Virtual-8086 extensions." },
];

export const EFER: readonly NamedBit[] = [
  { name: "NXE", bit: 11, help: "No-execute enabled: bit 63 of PAE entries counts." },
  { name: "SCE", bit: 0, help: "SYSCALL enabled." },
];

const EXCEPTIONS = [
  "invalid operation",
  "denormal operand",
  "division by zero",
  "overflow",
  "underflow",
  "precision",
];

/** Exception masks and their flags have the same six bits, here P to I. */
const exceptions = (suffix: string, text: (what: string) => string): NamedBit[] =>
  ["I", "D", "Z", "O", "U", "P"]
    .map((letter, bit) => ({ name: letter + suffix, bit, help: text(EXCEPTIONS[bit] ?? "") }))
    .reverse();

export const FPU_CONTROL: readonly NamedBit[] = [
  { name: "RC1", bit: 11, help: "Rounding: 00 nearest, 01 down, 10 up, 11 towards 0." },
  { name: "RC0", bit: 10, help: "Rounding, lower bit." },
  { name: "PC1", bit: 9, help: "Precision: 00 24 bits, 10 53 bits, 11 64 bits." },
  { name: "PC0", bit: 8, help: "Precision, lower bit." },
  ...exceptions("M", (what) => `${what} is masked.`),
];

export const FPU_STATUS: readonly NamedBit[] = [
  { name: "B", bit: 15, help: "Busy: as ES." },
  { name: "C3", bit: 14, help: "Condition 3: equal, after a comparison." },
  {
    name: "C2",
    bit: 10,
    help: "Condition 2: unordered, after a comparison; not complete, after a remainder.",
  },
  { name: "C1", bit: 9, help: "Condition 1: rounded up; after a stack fault, overflow." },
  { name: "C0", bit: 8, help: "Condition 0: below, after a comparison." },
  { name: "ES", bit: 7, help: "An exception that is not masked waits." },
  { name: "SF", bit: 6, help: "Stack fault." },
  ...exceptions("E", (what) => `${what}.`),
];
