/**
 * Decoded blocks: runs of instructions, kept by the host frame and offset they were decoded from. A block follows calls
 * and jumps within its page, and returns to its own calls (fetch.ts), so its bytes need not be in one piece. A store into one of their bytes empties exactly the blocks that hold it, at once, even while one of them runs:
 * its instructions are replaced by a sentinel that makes the run loop look again.
 */
import { FRAME_CODE, type HostMemory } from "../memory/host-memory.ts";
import { HOT_END } from "./attention.ts";
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
  /** Where the list begins that the run loop follows (Insn.next): the instructions of `insns`, and an end. */
  first: Insn;
  readonly count: number;
  /** Decoded for CS.D = 1. */
  readonly big: boolean;
  readonly hfn: number;
  /** Offset of the first byte in its frame. */
  readonly offset: number;
  /** Offsets in the frame between which all of its bytes lie; a block that follows branches may leave holes. */
  readonly low: number;
  readonly high: number;
  /** Frame of the bytes beyond the page's end, or -1: only single instructions cross. */
  readonly hfn2: number;

  /**
   * @param insns whose `end` is set
   * @param to where the next instruction stands when all have been carried out, as an offset from the first byte
   */
  constructor(insns: Insn[], to: number, big: boolean, hfn: number, offset: number, hfn2: number) {
    this.insns = insns;
    this.first = insns[0]!;
    this.count = insns.length;
    let low = offset;
    let high = offset;
    for (let i = 0; i < insns.length; i++) {
      const insn = insns[i]!;
      insn.count = i + 1;
      if (i > 0) insns[i - 1]!.next = insn;
      low = Math.min(low, offset + insn.end - insn.length);
      high = Math.max(high, offset + insn.end);
    }
    const end = new Insn(restart, STALE_ROW);
    end.hot = HOT_END;
    end.count = insns.length;
    end.end = to;
    insns[insns.length - 1]!.next = end;
    this.low = low;
    this.high = high;
    this.big = big;
    this.hfn = hfn;
    this.offset = offset;
    this.hfn2 = hfn2;
  }

  /** Does an instruction have one of the bytes `from` … `to - 1` of the frame? */
  holds(from: number, to: number): boolean {
    if (this.low >= to || this.high <= from) return false;
    for (const insn of this.insns) {
      const end = this.offset + insn.end;
      if (end > from && end - insn.length < to) return true;
    }
    return false;
  }

  /** Empties the block: whoever runs it meets the sentinel next. */
  drop(): void {
    for (const insn of this.insns) if (insn !== STALE) insn.next = STALE;
    this.insns.fill(STALE);
    this.first = STALE;
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

  private markRange(from: number, to: number): void {
    for (let i = from >> LINE_SHIFT; i <= (to - 1) >> LINE_SHIFT; i++) this.lines[i] = 1;
  }

  /** Marks the lines of a block that begins here. */
  mark(block: Block): void {
    for (const insn of block.insns) {
      const end = block.offset + insn.end;
      this.markRange(end - insn.length, Math.min(end, 4096));
    }
  }

  /** Marks the lines of the end of a block that begins elsewhere. */
  markTail(block: Block): void {
    this.markRange(0, block.high - 4096);
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
    return block.big === big && block.first !== STALE ? block : null;
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
    frame.mark(block);
    if (block.hfn2 >= 0) {
      const second = this.frameFor(block.hfn2);
      second.tails.push(block);
      second.markTail(block);
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
      if (b.holds(offset, end)) {
        b.drop();
        gone = true;
      }
    }
    for (const b of frame.tails) {
      if (b.high - 4096 > offset) {
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
    const live = (b: Block): boolean => b.first !== STALE;
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
      frame.mark(b);
    }
    for (const b of tails) {
      frame.tails.push(b);
      frame.markTail(b);
    }
  }
}
