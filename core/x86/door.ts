/**
 * The narrow door between the processor and whoever runs it: why it came back, and what may be asked of it.
 * `core/kvm` and `core/machine` know the processor through these types alone; the processor knows nothing of them.
 *
 * 32-bit quantities are signed integers (`x | 0`) on hot paths; whoever shows one writes `x >>> 0`.
 */
import type { Trace } from "../trace/trace.ts";

/** Exit reasons; names in `EXIT_NAMES` of core/trace/events.ts, same order. Bit 1 << reason of `intercepts` arms each. */
export const EXIT_NONE = 0;
/** Any guest #PF, of an access or of an event delivery: `gva`, `error`. CR2 is not written, nothing has changed. */
export const EXIT_PF = 1;
/** MOV to CRn: `cr`, `value`. */
export const EXIT_CR_WRITE = 2;
/** MOV from CRn: `cr`. */
export const EXIT_CR_READ = 3;
export const EXIT_CLTS = 4;
/** LMSW: `value` = the 16-bit source. */
export const EXIT_LMSW = 5;
/** INVLPG: `gva`. */
export const EXIT_INVLPG = 6;
/** IN, OUT, INS, OUTS: `port`, `size`. */
export const EXIT_IO = 7;
export const EXIT_HLT = 8;
export const EXIT_CPUID = 9;
/** RDMSR / WRMSR: `msr`, for the write `value` (low) and `valueHigh`. */
export const EXIT_RDMSR = 10;
export const EXIT_WRMSR = 11;
/** An external interrupt line was raised while the guest ran. */
export const EXIT_EXTERNAL_INTERRUPT = 12;
export const EXIT_TRIPLE_FAULT = 13;
/** Something from outside changed the machine's state (input, edit, DMA, a policy or hazard switch). Raised by core/machine. */
export const EXIT_OUTSIDE = 14;
/**
 * The second dimension of a nested walk has no translation: `gva` (0 for a load of PDPTEs), `value` and `valueHigh` =
 * the guest-physical address, `error` = what AMD's EXITINFO1 says in its low word. More is in `PagingUnit.nested`.
 */
export const EXIT_NESTED_FAULT = 15;
/** A task switch, by JMP, CALL, IRET or a task gate of the IDT: `value` = the TSS selector. Nothing has changed. */
export const EXIT_TASK_SWITCH = 16;

/** What the processor says when it comes back from `run` or `step`. */
export const RUN_BUDGET = 0; // the budget is used up, exactly
export const RUN_EXIT = 1; // see `exit`; EIP is at the instruction, nothing of it has happened
export const RUN_HALTED = 2; // HLT retired (it was not intercepted); waits for an event
export const RUN_SHUTDOWN = 3; // triple fault, not intercepted
export const RUN_UNIMPLEMENTED = 4; // see `unimplemented`; EIP is at the instruction
export const RUN_BREAK = 5; // `breakpoints` holds EIP; the instruction has not run
export const RUN_RETIRED = 6; // `step` only: the one instruction (or REP iteration, or delivery) retired
export const RUN_FAULTED = 7; // `step` only: it raised an exception, which was delivered (a unit of its own: nothing retired)

/** Access kinds, as bits of a page-fault error code (SDM vol. 3, 4.7). */
export const ACCESS_PRESENT = 1;
export const ACCESS_WRITE = 2;
export const ACCESS_USER = 4;
export const ACCESS_RSVD = 8;
export const ACCESS_FETCH = 16;

/** How an event that was being delivered when the exit happened came about (SDM vol. 3, 24.9.3, IDT-vectoring type). */
export const VECTORING_NONE = -1;
export const VECTORING_EXTERNAL = 0;
export const VECTORING_NMI = 2;
export const VECTORING_HARDWARE_EXCEPTION = 3;
export const VECTORING_SOFTWARE_INTERRUPT = 4;
export const VECTORING_PRIVILEGED = 5; // INT1
export const VECTORING_SOFTWARE_EXCEPTION = 6; // INT3, INTO

/** The record of one exit; one object, overwritten by each exit. */
export interface ExitInfo {
  reason: number;
  /** Linear address for EXIT_PF and EXIT_INVLPG. */
  gva: number;
  /** Page-fault error code for EXIT_PF. */
  error: number;
  cr: number;
  value: number;
  valueHigh: number;
  msr: number;
  port: number;
  size: number;
  /** EIP behind the instruction, for reasons that an instruction caused (`complete()` goes there). */
  nextEip: number;
  /** Event under delivery when EXIT_PF happened: VECTORING_NONE or a vectoring type. */
  vectoringType: number;
  vectoringVector: number;
  /** Error code of the event under delivery, -1 when it has none. */
  vectoringError: number;
  /**
   * Host frame that the instruction was decoded from, where EXIT_PF is of an aligned 32-bit store at `gva`, which is all
   * that the instruction does (MOV) and nothing else is to happen between it and the next; then `value` is what it stores.
   * Else -1: nothing is known of the instruction.
   */
  storeFrom: number;
}

/** The physical address space that the processor sees. */
export interface PhysicalBus {
  /** Host frame behind a physical frame number, or -1 where there is no memory (reads all ones, writes are dropped). */
  frameOf(pfn: number): number;
}

/**
 * Devices at physical addresses: what answers where `frameOf` says there is no memory. Sizes are 1, 2 or 4 bytes; nothing
 * crosses a page. An address that nobody claims reads all ones and swallows writes.
 */
export interface MmioBus {
  readMmio(address: number, size: number): number;
  writeMmio(address: number, size: number, value: number): void;
}

/** The port space. Sizes are 1, 2 or 4 bytes; an unclaimed port reads all ones. */
export interface IoBus {
  in(port: number, size: number): number;
  out(port: number, size: number, value: number): void;
}

/**
 * Where the accesses of an instruction go while it is emulated (`step(STEP_EMULATE)`): the TLB answers nothing,
 * every access of the instruction (operands, stack, descriptor tables, fetch) comes here.
 * `access` is a set of ACCESS_WRITE | ACCESS_USER | ACCESS_FETCH. Sizes are 1, 2, 4 or 8; an access may cross a page.
 * A fault is reported by calling `Processor.raisePageFault` and returning; the caller tests `Processor.faulted`.
 */
export interface EmulatorPort {
  /** Checks that an access would be allowed, without doing it. False: a fault was raised. */
  check(la: number, size: number, access: number): boolean;
  /** Returns the low 32 bits; `high` holds the upper 32 of an 8-byte read. `access` may contain ACCESS_WRITE (read for a later write). */
  read(la: number, size: number, access: number): number;
  high: number;
  write(la: number, size: number, low: number, high: number, access: number): void;
  /** A task switch loaded CR3, and what follows is translated by it. False: its PDPTEs have reserved bits. */
  cr3Loaded(cr3: number): boolean;
}

/** `step` modes, may be combined. */
export const STEP_NORMAL = 0;
/** Do what an intercepted instruction does, without exiting for it again. Page faults still exit. */
export const STEP_NO_INTERCEPT = 1;
/** Run the next unit (a pending delivery, or the instruction at EIP) with every access through `emulator`. */
export const STEP_EMULATE = 2;

/** Paging modes of the hardware unit. */
export const PAGING_OFF = 0;
export const PAGING_32 = 1;
export const PAGING_PAE = 2;

/** The processor's paging unit: its registers as silicon has them, and its TLB. */
export interface PagingUnit {
  /** PAGING_OFF, PAGING_32 or PAGING_PAE. */
  readonly mode: number;
  /** CR3 as the unit uses it (physical, on the processor's own bus). */
  readonly cr3: number;
  readonly wp: boolean;
  readonly nxe: boolean;
  readonly pse: boolean;
  readonly pge: boolean;
  /** PDPTE registers: four entries, low and high words. */
  readonly pdptes: Uint32Array;
  /**
   * Loads the unit's registers; does not flush (`flush` does) and reads no memory. Under a hypervisor these are
   * the hypervisor's values (PAE, WP=1, NXE=1, CR3 = root), bare they follow CR0, CR3, CR4 and EFER.
   */
  configure(mode: number, cr3: number, wp: boolean, nxe: boolean, pse: boolean, pge: boolean): void;
  /** Loads the four PDPTE registers from the table that CR3 names. False: a present one has reserved bits (nothing loaded). */
  loadPdptes(cr3: number): boolean;
  /** Drops every entry, or every non-global one. `why` is a FLUSH_… of core/trace/events.ts. */
  flush(why: number, keepGlobal: boolean): void;
  /** Drops every translation of the page (4 KiB, or the whole large page) that holds `la`. */
  invlpg(la: number): void;
  /** A peek at the valid TLB entries, for audits and views; allocates. */
  entries(): TlbEntry[];
  /** Nested paging; absent where the silicon has none. */
  readonly nested?: NestedUnit;
}

/** Guest steps of a nested walk: whose address the host tables translate. */
export const NESTED_PAGE = 0; // the page itself
export const NESTED_PTE = 1; // the guest's page-table entry
export const NESTED_PDE = 2; // the guest's directory entry
export const NESTED_PDPT = 3; // the PDPT, while its four entries are loaded into the registers
/** References are counted at step * NESTED_WIDTH + host level; level 0 is the guest's entry itself. */
export const NESTED_WIDTH = 5;
/** Further counters behind the 20 of the references. */
export const NESTED_WALKS = 20;
export const NESTED_FAULTS = 21;
export const NESTED_GUEST_HITS = 22;
export const NESTED_HOST_HITS = 23;
export const NESTED_COUNTS = 24;

/** The second dimension of the paging unit: from guest-physical to host-physical addresses (nested paging). */
export interface NestedUnit {
  readonly on: boolean;
  /** 3 or 4. */
  readonly levels: number;
  /** Host byte address of the top table. */
  readonly root: number;
  /** Entries of each page-walk cache; 0: none. */
  readonly cacheSize: number;
  /** NESTED_… counters. */
  readonly count: Float64Array;
  /** Of the last nested fault: NESTED_PAGE … NESTED_PDPT, guest frame, error code. */
  readonly faultStep: number;
  readonly faultGfn: number;
  readonly faultError: number;
  /** While set, loads of PDPTEs read through it instead of the host tables: the hypervisor emulates. */
  software: PhysicalBus | null;
  /** Switches the second dimension on. The caches are empty then; counters stay. */
  configure(levels: number, root: number, cacheSize: number): void;
  off(): void;
  /** Empties the cache of host entries: the hypervisor took a translation away. */
  flushHost(): void;
}

/**
 * One TLB entry as a peek shows it. A page fault (delivered, or an EXIT_PF) has dropped the entries of its own address
 * (SDM vol. 3, 4.10.4.1), so an entry that is too narrow never outlives the fault that it causes.
 */
export interface TlbEntry {
  /** Linear address of the first byte, 4 KiB aligned (or the large page's alignment). */
  readonly la: number;
  /** Bytes that the entry translates: 4096, 2 MiB or 4 MiB. */
  readonly size: number;
  /** Physical frame number of `la` on the processor's bus. */
  readonly pfn: number;
  /** Rights combined over all levels. */
  readonly write: boolean;
  readonly user: boolean;
  readonly nx: boolean;
  /** D of the leaf was set when the entry was made or later: a store needs no walk. */
  readonly dirty: boolean;
}

/** What core/kvm and core/machine may ask of the processor. */
export interface Processor {
  readonly regs: Int32Array;
  eip: number;
  /** All of EFLAGS, lazily kept; reading computes it. */
  eflags: number;
  /** Guest-visible control registers. Assigning does nothing else: see `applyControls`. */
  cr0: number;
  cr2: number;
  cr3: number;
  cr4: number;
  /** EFER low word (the high one is 0). */
  efer: number;
  readonly cpl: number;
  /** Units retired since reset. */
  retired: number;
  readonly paging: PagingUnit;
  /** The physical address space. Under a hypervisor host-physical, bare guest-physical. Whoever assigns it calls `paging.flush`. */
  bus: PhysicalBus;
  /** Somebody else stored into this frame of host memory: decoded blocks of it (FRAME_CODE) are dropped. */
  codeChanged(hfn: number): void;
  /** Linear address of the next instruction (CS base + EIP). */
  readonly linearIp: number;
  readonly trace: Trace;
  /** Bits 1 << EXIT_…: what comes back as an exit instead of happening. 0 on the bare machine. */
  intercepts: number;
  readonly exit: ExitInfo;
  emulator: EmulatorPort | null;
  /**
   * Opcode (`Row.opcode`: 0x0f00 | second byte for two-byte ones) of the instruction that `step(STEP_EMULATE)` fetched,
   * -1 when it delivered an event or the fetch failed.
   */
  readonly emulatedOpcode: number;
  /** Devices at addresses without memory; null: nothing answers there. For accesses of the hypervisor's emulator. */
  readonly mmio: MmioBus | null;
  /** True after an access that raised a fault or an exit; cleared by the run loop. */
  readonly faulted: boolean;
  /** Raises #PF for an emulated access: an exception to be delivered (never an exit). Error code as given. */
  raisePageFault(la: number, error: number): void;
  /**
   * Makes an event pending for delivery before the next instruction (VM-entry injection). Replaces a pending one.
   * For #PF the caller sets cr2 first. type: VECTORING_…; error -1 for none.
   * A delivery that exits (EXIT_PF) leaves it pending, with `exit.vectoring…` telling it.
   */
  inject(vector: number, type: number, error: number): void;
  /** The pending injected event's vector, or -1. */
  readonly pendingVector: number;
  /** Drops a pending injected event. */
  cancelInjection(): void;
  /** Retires the intercepted instruction: EIP = exit.nextEip, retired + 1, interrupt shadow and RF as after any instruction. */
  complete(): void;
  /** Runs until `budget` units retired, an exit, or another RUN_ reason but FAULTED; RETIRED: see run.ts. */
  run(budget: number): number;
  /** Runs one unit: a pending delivery, an instruction, or one REP iteration. */
  step(mode: number): number;
  /** External interrupt line; taken when IF=1 and no shadow. Exits instead with EXIT_EXTERNAL_INTERRUPT when that is armed. -1: none. */
  interruptLine: number;
}
