/**
 * Memory accesses off the fast path: segment checks, TLB misses, page crossings, stores that somebody must hear of,
 * and the emulator's port. Nothing changes before the last check of an access has passed; a fault is recorded in the
 * processor (`faulted`) and the value returned then means nothing. Sizes are 1, 2 or 4 bytes.
 */
import { FRAME_CODE, FRAME_WATCHED } from "../memory/host-memory.ts";
import type { Cpu } from "./cpu.ts";
import { watchData } from "./debug.ts";
import { ACCESS_USER, ACCESS_WRITE, EXIT_NESTED_FAULT, EXIT_PF, RUN_EXIT } from "./door.ts";
import { AC, GP, PF, SS_FAULT } from "./exceptions.ts";
import { FLAG_AC, REST } from "./flags.ts";
import { SS } from "./isa/insn.ts";
import { isExpandDown, isReadable, isUnusable, isWritable, SEG_BIG } from "./segment-cache.ts";

const CR0_AM = 1 << 18;

/** ACCESS_USER when the program runs at CPL 3, else 0. */
export function userBit(cpu: Cpu): number {
  return cpu.cpl === 3 ? ACCESS_USER : 0;
}

/** A fault of the walk: an exit when armed, or when it is the host tables', else an exception. */
export function pageFault(cpu: Cpu, la: number, error: number): void {
  cpu.faulted = true;
  if (cpu.paging.nested.failed && !cpu.emulating) {
    nestedFault(cpu, la);
    return;
  }
  if (!cpu.emulating && ((cpu.intercepts >>> EXIT_PF) & 1) !== 0) {
    const exit = cpu.exit;
    exit.reason = EXIT_PF;
    exit.gva = la | 0;
    exit.error = error;
    exit.nextEip = cpu.eip;
    exit.vectoringType = cpu.vectoringType;
    exit.vectoringVector = cpu.vectoringVector;
    exit.vectoringError = cpu.vectoringError;
    exit.storeFrom = -1;
    cpu.stopCode = RUN_EXIT;
    return;
  }
  cpu.excVector = PF;
  cpu.excError = error;
  cpu.excAddress = la | 0;
}

/** The host tables lack a translation: always an exit, whatever is intercepted. `la` 0: PDPTEs were being loaded. */
export function nestedFault(cpu: Cpu, la: number): void {
  const { exit } = cpu;
  const { nested } = cpu.paging;
  cpu.faulted = true;
  exit.reason = EXIT_NESTED_FAULT;
  exit.gva = la | 0;
  exit.error = nested.faultError;
  exit.value = nested.faultGfn << 12;
  exit.valueHigh = nested.faultGfn >>> 20;
  exit.nextEip = cpu.eip;
  exit.vectoringType = cpu.vectoringType;
  exit.vectoringVector = cpu.vectoringVector;
  exit.vectoringError = cpu.vectoringError;
  cpu.stopCode = RUN_EXIT;
}

/**
 * Linear address of `size` bytes at a segment's offset, after the checks of type and limit (SDM vol. 3, 5.3, 5.5).
 * Raises #GP(0), or #SS(0) for the stack segment.
 */
export function linearOf(cpu: Cpu, seg: number, ea: number, size: number, write: boolean): number {
  const attr = cpu.segAttr[seg]!;
  if (isUnusable(attr) || (write ? !isWritable(attr) : !isReadable(attr))) {
    cpu.raise(seg === SS ? SS_FAULT : GP, 0);
    return 0;
  }
  const first = ea >>> 0;
  const last = first + size - 1;
  const limit = cpu.segLimit[seg]!;
  const bad = isExpandDown(attr)
    ? first <= limit || last > ((attr & SEG_BIG) !== 0 ? 0xffff_ffff : 0xffff)
    : last > limit && !(limit === 0xffff_ffff);
  if (bad) {
    cpu.raise(seg === SS ? SS_FAULT : GP, 0);
    return 0;
  }
  return (ea + cpu.segBase[seg]!) | 0;
}

/**
 * Raises #AC(0) for a user access at an address that its size (1, 2, 4 or 8 bytes) does not divide, while CR0.AM and
 * EFLAGS.AC ask for it (SDM vol. 3, 6.15, #AC). True: raised. The fast paths need not ask: they take aligned accesses
 * only. Accesses that the processor makes as a supervisor are never checked.
 */
export function misaligned(cpu: Cpu, la: number, size: number): boolean {
  if ((la & (size - 1)) === 0 || cpu.cpl !== 3) return false;
  if ((cpu.cr0 & CR0_AM) === 0 || (cpu.regs[REST]! & FLAG_AC) === 0) return false;
  cpu.raise(AC, 0);
  return true;
}

/** Loads from a host byte address, within one frame. */
function load(cpu: Cpu, host: number, size: number): number {
  if (size === 1) return cpu.bytes[host]!;
  if (size === 4) return (host & 3) === 0 ? cpu.i32[host >> 2]! : cpu.memory.view.getInt32(host, true);
  return (host & 1) === 0 ? cpu.u16[host >> 1]! : cpu.memory.view.getUint16(host, true);
}

function store(cpu: Cpu, host: number, size: number, value: number): void {
  if (size === 1) cpu.bytes[host] = value;
  else if (size === 4) cpu.memory.view.setInt32(host, value, true);
  else cpu.memory.view.setUint16(host, value, true);
}

/** A store within one frame that nobody has been told of yet: stamps the page, drops the code it hits. */
export function storeHost(cpu: Cpu, host: number, size: number, value: number): void {
  const hfn = host >>> 12;
  cpu.memory.touch(hfn);
  const flags = cpu.memory.flags[hfn]!;
  if ((flags & (FRAME_CODE | FRAME_WATCHED)) !== 0) {
    if ((flags & FRAME_CODE) !== 0) cpu.blocks.written(hfn, host & 0xfff, size);
    if ((flags & FRAME_WATCHED) !== 0) cpu.watchedStore(host, size);
  }
  store(cpu, host, size, value);
}

/** Reads 1, 2 or 4 bytes where there is no memory: a device's, or all ones. `pfn` as in the TLB. */
export function mmioRead(cpu: Cpu, pfn: number, offset: number, size: number): number {
  if (cpu.mmio === null) return ones(size);
  const before = cpu.attention;
  const value = cpu.mmio.readMmio(pfn * 4096 + offset, size);
  if (cpu.attention !== before) cpu.leaveBlock();
  return value;
}

/** Writes 1, 2 or 4 bytes where there is no memory. What the device asks for is seen behind this very instruction. */
export function mmioWrite(cpu: Cpu, pfn: number, offset: number, size: number, value: number): void {
  if (cpu.mmio === null) return;
  const before = cpu.attention;
  cpu.mmio.writeMmio(pfn * 4096 + offset, size, value);
  if (cpu.attention !== before) cpu.leaveBlock();
}

const ones = (size: number): number => (size === 1 ? 0xff : size === 2 ? 0xffff : -1);

/** Reads at a linear address. `user`: ACCESS_USER or 0. */
export function linearRead(cpu: Cpu, la: number, size: number, user: number): number {
  if (cpu.emulating) return cpu.emulator!.read(la | 0, size, user);
  const offset = la & 0xfff;
  if (offset + size > 4096) return crossRead(cpu, la, size, user);
  const tlb = cpu.tlb;
  const fast = user !== 0 ? tlb.readUser : tlb.readSupervisor;
  const w = (la >>> 11) & 0x7fe;
  if (fast[w] === (la & ~0xfff)) return load(cpu, (la + fast[w + 1]!) | 0, size);
  const i = cpu.paging.lookup(la, user);
  if (i < 0) {
    pageFault(cpu, la, cpu.paging.error);
    return 0;
  }
  const hfn = tlb.hfns[i]!;
  if (hfn < 0) return mmioRead(cpu, tlb.pfns[i]!, offset, size);
  tlb.derive(i, cpu.paging.wp);
  return load(cpu, (hfn << 12) | offset, size);
}

function crossRead(cpu: Cpu, la: number, size: number, user: number): number {
  if (!linearCheck(cpu, la, size, user)) return 0;
  let value = 0;
  for (let i = 0; i < size; i++) value |= linearRead(cpu, (la + i) | 0, 1, user) << (8 * i);
  return value;
}

/** Writes at a linear address. */
export function linearWrite(cpu: Cpu, la: number, size: number, value: number, user: number): void {
  if (cpu.emulating) {
    cpu.emulator!.write(la | 0, size, value, 0, user | ACCESS_WRITE);
    return;
  }
  const offset = la & 0xfff;
  const tlb = cpu.tlb;
  if (offset + size > 4096) {
    // Both pages must permit the store before either changes.
    if (!linearCheck(cpu, la, size, user | ACCESS_WRITE)) return;
    for (let i = 0; i < size; i++) linearWrite(cpu, (la + i) | 0, 1, (value >>> (8 * i)) & 0xff, user);
    return;
  }
  const fast = user !== 0 ? tlb.writeUser : tlb.writeSupervisor;
  const w = (la >>> 11) & 0x7fe;
  if (fast[w] === (la & ~0xfff)) {
    store(cpu, (la + fast[w + 1]!) | 0, size, value);
    return;
  }
  const i = cpu.paging.lookup(la, user | ACCESS_WRITE);
  if (i < 0) {
    pageFault(cpu, la, cpu.paging.error);
    return;
  }
  const hfn = tlb.hfns[i]!;
  if (hfn < 0) {
    mmioWrite(cpu, tlb.pfns[i]!, offset, size, value);
    return;
  }
  storeHost(cpu, (hfn << 12) | offset, size, value);
  tlb.derive(i, cpu.paging.wp);
}

/** Checks that an access of up to a page's length would be allowed. False: a fault was raised, for the lowest byte that faults. */
export function linearCheck(cpu: Cpu, la: number, size: number, access: number): boolean {
  if (cpu.emulating) return cpu.emulator!.check(la | 0, size, access) && !cpu.faulted;
  if (cpu.paging.lookup(la, access) < 0) {
    pageFault(cpu, la, cpu.paging.error);
    return false;
  }
  if ((la & 0xfff) + size > 4096) {
    const second = ((la & ~0xfff) + 4096) | 0;
    if (cpu.paging.lookup(second, access) < 0) {
      pageFault(cpu, second, cpu.paging.error);
      return false;
    }
  }
  return true;
}

export function readSlow(cpu: Cpu, seg: number, ea: number, size: number): number {
  const la = ((cpu.flat >>> seg) & 1) !== 0 ? ea : linearOf(cpu, seg, ea, size, false);
  if (cpu.faulted || misaligned(cpu, la, size)) return 0;
  if (cpu.watchingData) watchData(cpu, la, size, false);
  return linearRead(cpu, la, size, userBit(cpu));
}

export function writeSlow(cpu: Cpu, seg: number, ea: number, size: number, value: number): void {
  const la = ((cpu.flat >>> seg) & 256) !== 0 ? ea : linearOf(cpu, seg, ea, size, true);
  if (cpu.faulted || misaligned(cpu, la, size)) return;
  if (cpu.watchingData) watchData(cpu, la, size, true);
  linearWrite(cpu, la, size, value, userBit(cpu));
}

/** Reads for a later `rmwWrite`, with all the checks of a write: that one cannot fault any more. */
export function rmwReadSlow(cpu: Cpu, seg: number, ea: number, size: number): number {
  const la = linearOf(cpu, seg, ea, size, true);
  if (cpu.faulted || misaligned(cpu, la, size)) return 0;
  if (cpu.watchingData) watchData(cpu, la, size, true);
  cpu.rmwLa = la;
  cpu.rmwHost = -1;
  const user = userBit(cpu);
  if (cpu.emulating) return cpu.emulator!.read(la, size, user | ACCESS_WRITE);
  if (!linearCheck(cpu, la, size, user | ACCESS_WRITE)) return 0;
  return linearRead(cpu, la, size, user);
}

/** Supervisor accesses that the processor makes by itself (descriptor tables, TSS), whatever the CPL. */
export function systemRead(cpu: Cpu, la: number, size: number): number {
  return linearRead(cpu, la, size, 0);
}

export function systemWrite(cpu: Cpu, la: number, size: number, value: number): void {
  linearWrite(cpu, la, size, value, 0);
}
