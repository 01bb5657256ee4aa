/**
 * Breakpoints and watchpoints (Z0 to Z4). Nothing is written into the guest: the processor's run loop stops at linear
 * addresses, and watchpoints are the processor's own from outside. Software and hardware breakpoints are the same here,
 * but each kind is remembered for what a stop says.
 */
import { WATCH_READ, WATCH_WRITE, type Watchpoint } from "../x86/watchpoints.ts";

/** Z packets' numbers. */
const SOFTWARE = 0;
const HARDWARE = 1;
const WATCHES: Readonly<Record<number, { readonly word: string; readonly kind: number }>> = {
  2: { word: "watch", kind: WATCH_WRITE },
  3: { word: "rwatch", kind: WATCH_READ },
  4: { word: "awatch", kind: WATCH_READ | WATCH_WRITE },
};

/** Beyond this many of either kind a client is refused: each is looked at when code is fetched or a page touched. */
export const POINTS_MOST = 10_000;

interface GdbWatchpoint extends Watchpoint {
  /** gdb's word for it in a stop: watch, rwatch or awatch. */
  readonly word: string;
}

export class Points {
  /** "swbreak" or "hwbreak" by linear address: the one inserted last is told. */
  private readonly code = new Map<number, Set<number>>();
  private readonly data: GdbWatchpoint[] = [];

  get breakpoints(): Iterable<number> {
    return this.code.keys();
  }

  /** As they are now: a list of its own. */
  get watchpoints(): readonly GdbWatchpoint[] {
    return [...this.data];
  }

  /** gdb's word for the breakpoint at an address, or null. */
  wordAt(address: number): string | null {
    const kinds = this.code.get(address);
    return kinds === undefined ? null : kinds.has(HARDWARE) ? "hwbreak" : "swbreak";
  }

  /** @returns null, or the sentence that says why not. Inserting twice is inserting once. */
  insert(type: number, address: number, length: number): string | null {
    if (type === SOFTWARE || type === HARDWARE) {
      const kinds = this.code.get(address) ?? new Set<number>();
      if (kinds.size === 0 && this.code.size >= POINTS_MOST) return `there are ${POINTS_MOST} breakpoints`;
      this.code.set(address, kinds.add(type));
      return null;
    }
    const { word, kind } = WATCHES[type]!;
    if (length < 1 || address + length > 2 ** 32) return "a watchpoint is 1 byte or more, within 4 GiB";
    if (this.find(word, address, length) >= 0) return null;
    if (this.data.length >= POINTS_MOST) return `there are ${POINTS_MOST} watchpoints`;
    this.data.push({ address, length, kind, word });
    return null;
  }

  /** Removing what is not there is no error. */
  remove(type: number, address: number, length: number): void {
    if (type === SOFTWARE || type === HARDWARE) {
      const kinds = this.code.get(address);
      kinds?.delete(type);
      if (kinds?.size === 0) this.code.delete(address);
      return;
    }
    const at = this.find(WATCHES[type]!.word, address, length);
    if (at >= 0) this.data.splice(at, 1);
  }

  clear(): void {
    this.code.clear();
    this.data.length = 0;
  }

  private find(word: string, address: number, length: number): number {
    return this.data.findIndex(
      (point) => point.word === word && point.address === address && point.length === length,
    );
  }
}

/** Is there a Z packet of this number? */
export const isPoint = (type: number): boolean => type === SOFTWARE || type === HARDWARE || type in WATCHES;
