/**
 * From EIP to a block: instruction fetch through the TLB, the block cache, and the making of blocks.
 * A fetch faults only for bytes that the instruction at EIP really needs (SDM vol. 3, 4.7, 6.15).
 */
import { pageFault, userBit } from "./access.ts";
import { HOT_CALL, HOT_CALL_ON, HOT_JMP, HOT_NOP, HOT_RET, HOT_RET_ON } from "./attention.ts";
import { BLOCK_INSNS, Block } from "./blocks.ts";
import type { Cpu } from "./cpu.ts";
import { ACCESS_FETCH } from "./door.ts";
import { GP } from "./exceptions.ts";
import { prepare } from "./hot.ts";
import { decode } from "./isa/decode.ts";
import { CS, type Insn } from "./isa/insn.ts";

const LONGEST = 15;
/** Bytes of an instruction gathered across a page's end, or through the emulator. */
const gathered = new Uint8Array(16);
/** What a fetch reads where there is no memory. */
const ONES = new Uint8Array(16).fill(0xff);

/** Bytes that CS lets the instruction at EIP have, at most 4096; 0 when EIP itself is beyond the limit. */
function withinLimit(cpu: Cpu): number {
  if (cpu.csFlat) return 4096;
  const room = cpu.segLimit[CS]! - (cpu.eip >>> 0) + 1;
  return room <= 0 ? 0 : Math.min(room, 4096);
}

/** The block at EIP, or null when its fetch faulted (`faulted`; EIP is untouched). */
export function fetchBlock(cpu: Cpu): Block | null {
  const la = (cpu.eip + cpu.csBase) | 0;
  const room = withinLimit(cpu);
  if (room === 0) {
    cpu.raise(GP, 0);
    return null;
  }
  const access = ACCESS_FETCH | userBit(cpu);
  const i = cpu.paging.lookup(la, access);
  if (i < 0) {
    pageFault(cpu, la, cpu.paging.error);
    return null;
  }
  const hfn = cpu.tlb.hfns[i]!;
  const offset = la & 0xfff;
  const big = cpu.csBig;
  if (hfn >= 0) {
    const found = cpu.blocks.find(hfn, offset, big);
    if (found !== null && (found.hfn2 < 0 || secondFrame(cpu, la, access) === found.hfn2)) return found;
    if (cpu.faulted) return null;
    const made = build(cpu, hfn, offset, room, big);
    if (made !== null) return made;
  }
  return buildAcross(cpu, hfn, la, access, room, big);
}

/** Host frame of the page behind the one of `la`; -1: none, or a fault was raised. */
function secondFrame(cpu: Cpu, la: number, access: number): number {
  const second = ((la & ~0xfff) + 4096) | 0;
  const i = cpu.paging.lookup(second, access);
  if (i < 0) {
    pageFault(cpu, second, cpu.paging.error);
    return -1;
  }
  return cpu.tlb.hfns[i]!;
}

/**
 * A block within one frame; null when already its first instruction needs more than the page (or CS) has. Where CS
 * reaches everywhere it goes on at the target of a CALL or JMP within the page, and behind a CALL that it holds at the
 * RET that belongs to it, where the loop compares what is on the stack.
 */
function build(cpu: Cpu, hfn: number, offset: number, room: number, big: boolean): Block | null {
  const bytes = cpu.bytes;
  const base = hfn << 12;
  const insns: Insn[] = [];
  const end = Math.min(4096, offset + room);
  /** Offsets that CALLs of this block return to. */
  const returns: number[] = [];
  let at = offset;
  while (at < end && insns.length < BLOCK_INSNS) {
    const insn = decode(bytes, base + at, end - at, big);
    if (insn === null) break;
    prepare(insn);
    insns.push(insn);
    at += insn.length;
    insn.end = at - offset;
    insn.goes = (insn.end + insn.imm) | 0;
    if (!insn.row.ends) continue;
    const to = cpu.csFlat ? follow(insn, offset, insns, returns) : -1;
    if (to < 0) break;
    at = to;
  }
  if (insns.length === 0) return null;
  const block = new Block(insns, at - offset, big, hfn, offset, -1);
  cpu.blocks.add(block);
  return block;
}

/** Offset in the frame at which a block goes on behind a branch, or -1: it ends. Sets what the loop needs for it. */
function follow(insn: Insn, offset: number, insns: readonly Insn[], returns: number[]): number {
  if (insn.hot === HOT_RET) {
    const to = returns.pop();
    if (to === undefined) return -1;
    insn.hot = HOT_RET_ON;
    insn.goes = to - offset;
    return to;
  }
  const to = offset + insn.goes;
  if (to < 0 || to > 4095) return -1;
  if (insn.hot === HOT_CALL) {
    returns.push(offset + insn.end);
    insn.hot = HOT_CALL_ON;
    return to;
  }
  // A jump back into the block would only repeat it.
  if (insn.hot !== HOT_JMP || insns.some((i) => i.end - i.length === insn.goes)) return -1;
  insn.hot = HOT_NOP;
  return to;
}

/** A block of one instruction, which its handler carries out. */
function single(insn: Insn, big: boolean, hfn: number, offset: number, hfn2: number): Block {
  insn.end = insn.length;
  return new Block([insn], insn.length, big, hfn, offset, hfn2);
}

/** One instruction that crosses into the next page, or whose page has no memory. */
function buildAcross(
  cpu: Cpu,
  hfn: number,
  la: number,
  access: number,
  room: number,
  big: boolean,
): Block | null {
  const offset = la & 0xfff;
  const here = 4096 - offset;
  const first = Math.min(here, LONGEST, room);
  const source = hfn < 0 ? ONES : cpu.bytes;
  const from = hfn < 0 ? 0 : (hfn << 12) | offset;
  for (let i = 0; i < first; i++) gathered[i] = source[hfn < 0 ? 0 : from + i]!;
  if (hfn < 0) {
    // Not kept: there is no frame whose change would tell.
    const insn = decode(gathered, 0, first, big);
    if (insn !== null) return single(insn, big, -1, offset, -1);
  }
  if (room < LONGEST && room <= here) {
    cpu.raise(GP, 0); // the instruction reaches beyond the limit of CS
    return null;
  }
  const hfn2 = secondFrame(cpu, la, access);
  if (cpu.faulted) return null;
  const all = Math.min(LONGEST, room);
  for (let i = first; i < all; i++) gathered[i] = hfn2 < 0 ? 0xff : cpu.bytes[(hfn2 << 12) + i - here]!;
  const insn = decode(gathered, 0, all, big);
  if (insn === null) {
    cpu.raise(GP, 0);
    return null;
  }
  const block = single(insn, big, hfn, offset, hfn2);
  if (hfn >= 0 && hfn2 >= 0) cpu.blocks.add(block);
  return block;
}

/** Instructions that the emulator read last, by address: when the same bytes come again they need not be decoded. */
const REMEMBERED = 64;
const remembered = new Array<Block | null>(REMEMBERED).fill(null);
const rememberedBytes = new Uint8Array(REMEMBERED * 16);

/** The block decoded from these bytes before, when its instruction has no more than `have` of them; else null. */
function recall(slot: number, have: number, big: boolean, offset: number): Block | null {
  const block = remembered[slot]!;
  if (block === null || block.big !== big || block.offset !== offset) return null;
  const length = block.insns[0]!.length;
  if (length > have) return null;
  for (let i = 0; i < length; i++) if (gathered[i] !== rememberedBytes[slot * 16 + i]) return null;
  return block;
}

/** The instruction at EIP, every byte of it read through the emulator's port; null when that faulted. */
export function fetchEmulated(cpu: Cpu): Block | null {
  const la = (cpu.eip + cpu.csBase) | 0;
  const room = Math.min(withinLimit(cpu), LONGEST);
  const access = ACCESS_FETCH | userBit(cpu);
  const big = cpu.csBig;
  const slot = (la ^ (la >>> 6)) & (REMEMBERED - 1);
  let have = 0;
  while (have < room) {
    // Only what is needed: up to the page's end first, the next page when the instruction reaches into it.
    const at = (la + have) | 0;
    const toEnd = Math.min(4096 - (at & 0xfff), room - have);
    const size = toEnd >= 4 ? 4 : toEnd >= 2 ? 2 : 1;
    const word = cpu.emulator!.read(at, size, access);
    if (cpu.faulted) return null;
    for (let i = 0; i < size; i++) gathered[have + i] = (word >>> (8 * i)) & 0xff;
    have += size;
    const known = recall(slot, have, big, la & 0xfff);
    if (known !== null) {
      cpu.emulatedOpcode = known.insns[0]!.row.opcode;
      return known;
    }
    const insn = decode(gathered, 0, have, big);
    if (insn === null) continue;
    const block = single(insn, big, -1, la & 0xfff, -1);
    cpu.emulatedOpcode = insn.row.opcode;
    remembered[slot] = block;
    for (let i = 0; i < insn.length; i++) rememberedBytes[slot * 16 + i] = gathered[i]!;
    return block;
  }
  cpu.raise(GP, 0);
  return null;
}
