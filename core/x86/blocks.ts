/**
 * Decoded blocks: straight runs of instructions, kept by the host frame and offset they were decoded from.
 * A store into one of their bytes empties exactly the blocks that hold it, at once, even while one of them runs:
 * its instructions are replaced by a sentinel that makes the run loop look again.
 */
import { FRAME_CODE, type HostMemory } from "../memory/host-memory.ts";
import { type Exec, Insn } from "./isa/insn.ts";
import type { Row } from "./isa/row.ts";

/** Answer of the sentinel: nothing was executed, look the block up again. */
export const RESTART = 4;

/** Instructions a block holds at most. */
export const BLOCK_INSNS = 64;
/** Blocks kept at most; then all are dropped and made again as needed. */
const BLOCKS_MOST = 1 << 17;
/** Granule of the map that says which bytes of a frame may hold code. */
const LINE_SHIFT = 5;
const LINES = 4096 >> LINE_SHIFT;

const restart: Exec = () => RESTART;
const STALE_ROW: Row = {
  opcode: -1,
  ext: -1,
  rm: -1,
  form: "any",
  prefix: -1,
  name: "(stale)",
  operands: "",
  lock: false,
  rep: false,
  ends: true,
  bind: null,
};
export const STALE = new Insn(restart, STALE_ROW);

export class Block {
  readonly insns: Insn[];
  /** Where the list begins that the run loop follows (Insn.next): the same instructions as in `insns`. */
  first: Insn;
  readonly count: number;
  /** Offset of each instruction from the first. */
  readonly offsets: Uint16Array;
  /** Bytes of all instructions. */
  readonly bytes: number;
  /** Decoded for CS.D = 1. */
  readonly big: boolean;
  readonly hfn: number;
  /** Offset of the first byte in its frame. */
  readonly offset: number;
  /** Frame of the bytes beyond the page's end, or -1: only single instructions cross. */
  readonly hfn2: number;
  /** The block that last followed this one: valid for this EIP in this fetch epoch. */
  next: Block | null = null;
  nextEip = 0;
  nextEpoch = 0;

  constructor(insns: Insn[], big: boolean, hfn: number, offset: number, hfn2: number) {
    this.insns = insns;
    this.first = insns[0]!;
    this.count = insns.length;
    this.offsets = new Uint16Array(insns.length);
    let bytes = 0;
    for (let i = 0; i < insns.length; i++) {
      this.offsets[i] = bytes;
      bytes += insns[i]!.length;
      if (i > 0) insns[i - 1]!.next = insns[i]!;
    }
    this.bytes = bytes;
    this.big = big;
    this.hfn = hfn;
    this.offset = offset;
    this.hfn2 = hfn2;
  }

  /** Empties the block: whoever runs it meets the sentinel next. */
  drop(): void {
    for (const insn of this.insns) if (insn !== STALE) insn.next = STALE;
    this.insns.fill(STALE);
    this.first = STALE;
  }

  /** Position of the instruction that ends `end` bytes from the first. One that has set EIP elsewhere is the last. */
  indexAt(end: number): number {
    if (this.count === 1) return 0;
    const next = this.offsets.indexOf(end);
    return next > 0 ? next - 1 : this.count - 1;
  }
}

/** The blocks of one host frame. */
class CodeFrame {
  /** Position + 1 in `list` of the block that begins at an offset; 0 = none. */
  readonly at = new Uint16Array(4096);
  readonly list: Block[] = [];
  /** Blocks that begin in another frame and end in this one. */
  readonly tails: Block[] = [];
  /** 1 where a line of bytes may hold code. */
  readonly lines = new Uint8Array(LINES);

  mark(from: number, to: number): void {
    for (let i = from >> LINE_SHIFT; i <= (to - 1) >> LINE_SHIFT; i++) this.lines[i] = 1;
  }
}

export class BlockCache {
  private readonly memory: HostMemory;
  private readonly frames = new Map<number, CodeFrame>();
  private blocks = 0;
  /** The frame looked at last. */
  private lastHfn = -1;
  private last: CodeFrame | null = null;
  /** Told when a frame holds code for the first time: writes to it must be seen from now on. */
  private readonly guard: (hfn: number) => void;

  constructor(memory: HostMemory, guard: (hfn: number) => void) {
    this.memory = memory;
    this.guard = guard;
  }

  /** The block that begins there and was decoded for this CS.D; null when there is none. */
  find(hfn: number, offset: number, big: boolean): Block | null {
    const frame = this.frame(hfn);
    if (frame === null) return null;
    const n = frame.at[offset]!;
    if (n === 0) return null;
    const block = frame.list[n - 1]!;
    // A block whose tail was stored into is stale here until it is made again.
    return block.big === big && block.insns[0] !== STALE ? block : null;
  }

  add(block: Block): void {
    if (this.blocks >= BLOCKS_MOST) this.clear();
    const frame = this.frameFor(block.hfn);
    const n = frame.at[block.offset]!;
    if (n !== 0) {
      frame.list[n - 1]!.drop();
      frame.list[n - 1] = block;
    } else {
      frame.list.push(block);
      frame.at[block.offset] = frame.list.length;
      this.blocks++;
    }
    const end = block.offset + block.bytes;
    frame.mark(block.offset, Math.min(end, 4096));
    if (block.hfn2 >= 0) {
      const second = this.frameFor(block.hfn2);
      second.tails.push(block);
      second.mark(0, end - 4096);
    }
  }

  /** Bytes `offset` … `offset + size - 1` of a frame change: the blocks that hold one of them are dropped. */
  written(hfn: number, offset: number, size: number): void {
    const frame = this.frame(hfn);
    if (frame === null) return;
    const end = offset + size;
    let near = 0;
    for (let i = offset >> LINE_SHIFT; i <= (end - 1) >> LINE_SHIFT; i++) near |= frame.lines[i]!;
    if (near === 0) return;
    let gone = false;
    for (const b of frame.list) {
      if (b.offset < end && b.offset + b.bytes > offset) {
        b.drop();
        gone = true;
      }
    }
    for (const b of frame.tails) {
      if (b.offset + b.bytes - 4096 > offset) {
        b.drop();
        gone = true;
      }
    }
    if (gone) this.compact(hfn, frame);
  }

  /** Everything decoded from a frame is dropped. */
  dropFrame(hfn: number): void {
    this.written(hfn, 0, 4096);
  }

  clear(): void {
    for (const [hfn, frame] of this.frames) {
      for (const b of frame.list) b.drop();
      this.memory.flags[hfn]! &= ~FRAME_CODE;
    }
    this.frames.clear();
    this.blocks = 0;
    this.last = null;
    this.lastHfn = -1;
  }

  private frame(hfn: number): CodeFrame | null {
    if (hfn === this.lastHfn) return this.last;
    this.lastHfn = hfn;
    this.last = this.frames.get(hfn) ?? null;
    return this.last;
  }

  private frameFor(hfn: number): CodeFrame {
    let frame = this.frame(hfn);
    if (frame === null) {
      frame = new CodeFrame();
      this.frames.set(hfn, frame);
      this.last = frame;
      this.memory.flags[hfn]! |= FRAME_CODE;
      this.guard(hfn);
    }
    return frame;
  }

  /** Rebuilds a frame's lists without its stale blocks. */
  private compact(hfn: number, frame: CodeFrame): void {
    const live = (b: Block): boolean => b.insns[0] !== STALE;
    const list = frame.list.filter(live);
    const tails = frame.tails.filter(live);
    this.blocks -= frame.list.length - list.length;
    if (list.length === 0 && tails.length === 0) {
      this.frames.delete(hfn);
      this.lastHfn = -1;
      this.memory.flags[hfn]! &= ~FRAME_CODE;
      return;
    }
    frame.at.fill(0);
    frame.lines.fill(0);
    frame.list.length = 0;
    frame.tails.length = 0;
    for (const b of list) {
      frame.list.push(b);
      frame.at[b.offset] = frame.list.length;
      frame.mark(b.offset, Math.min(b.offset + b.bytes, 4096));
    }
    for (const b of tails) {
      frame.tails.push(b);
      frame.mark(0, b.offset + b.bytes - 4096);
    }
  }
}
