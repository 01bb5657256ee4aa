/**
 * Watchpoints of whoever looks at the machine from outside (a debugger): any number, of any length, on linear addresses.
 * The guest cannot see them. They are no state: a snapshot has none, and what the machine does is the same without.
 *
 * While there are none, they cost a test of a null on the paths of a TLB miss. While there are some, the derived arrays
 * of the TLB leave out the pages they lie in (`bars`), so that accesses to these pages, and no others, take the slow
 * path and are told here. A hit counts when the instruction, or the delivery, that made it is done: one that faulted, or
 * left for the hypervisor, is not done, and makes its accesses again when it is.
 */
import { ATT_WATCHED } from "./attention.ts";
import type { Cpu } from "./cpu.ts";
import { VECTORING_NONE } from "./door.ts";

/** What a watchpoint watches, and what an access is; may be combined. */
export const WATCH_READ = 1;
export const WATCH_WRITE = 2;

export interface Watchpoint {
  /** Linear address of its first byte, unsigned. */
  readonly address: number;
  /** Bytes, at least 1; it ends at 4 GiB at the latest. */
  readonly length: number;
  /** WATCH_READ, WATCH_WRITE or both. */
  readonly kind: number;
}

export interface WatchHit {
  readonly point: Watchpoint;
  /** First byte of the access that lies in the watchpoint. */
  readonly address: number;
  /** The access: WATCH_READ or WATCH_WRITE. */
  readonly access: number;
}

export class Watchpoints {
  /** The hit that stopped the machine last. */
  told: WatchHit | null = null;
  private hit: WatchHit | null = null;
  /** Where the processor stood when it made the access. */
  private time = 0;
  private deliveries = 0;
  private delivering = false;

  constructor(readonly list: readonly Watchpoint[]) {}

  /** Kinds of access to the page of `la` that have to be looked at. */
  bars(la: number): number {
    const page = (la & ~0xfff) >>> 0;
    let kinds = 0;
    for (const { address, length, kind } of this.list) {
      if (address < page + 4096 && address + length > page) kinds |= kind;
    }
    return kinds;
  }

  /** An access of the processor's own to a page that is barred. The run comes back behind whoever made it. */
  access(cpu: Cpu, la: number, size: number, access: number): void {
    if (this.hit !== null && this.isNow(cpu)) return;
    const from = la >>> 0;
    for (const point of this.list) {
      const { address, length } = point;
      if ((point.kind & access) === 0 || from >= address + length || from + size <= address) continue;
      this.hit = { point, address: Math.max(from, address), access };
      this.time = cpu.time;
      this.deliveries = deliveriesOf(cpu);
      this.delivering = cpu.vectoringType !== VECTORING_NONE;
      cpu.stopBehind();
      return;
    }
  }

  /** The first hit of an instruction is the one that is told, unless it was given up and something else runs now. */
  private isNow(cpu: Cpu): boolean {
    const delivering = cpu.vectoringType !== VECTORING_NONE;
    return this.time === cpu.time && this.deliveries === deliveriesOf(cpu) && this.delivering === delivering;
  }

  /** At a boundary: the hit of what is done since the one before, or null. */
  take(cpu: Cpu): WatchHit | null {
    const { hit } = this;
    if (hit === null) return null;
    this.hit = null;
    cpu.attention &= ~ATT_WATCHED;
    const done = this.delivering
      ? cpu.time !== this.time || deliveriesOf(cpu) !== this.deliveries
      : cpu.time !== this.time;
    if (!done) return null;
    this.told = hit;
    return hit;
  }
}

function deliveriesOf(cpu: Cpu): number {
  return cpu.deliveriesAt === cpu.retired ? cpu.deliveries : 0;
}
