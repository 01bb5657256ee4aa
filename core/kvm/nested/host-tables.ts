/**
 * The hypervisor's side of nested paging: host tables as bytes in host memory, one lowest table for every 2 MiB of
 * guest-physical addresses that were touched. Entries are PAE's and long mode's own (AMD vol. 2, 15.25.5); pages are
 * of 4 KiB, writable, a user's and executable. The processor sets their A and D.
 */
import { type HostMemory, HYPERVISOR_FRAMES } from "../../memory/host-memory.ts";
import { PTE_A, PTE_D, PTE_P, PTE_U, PTE_W } from "../../x86/paging/entries.ts";

/** Host frames of the tables: the upper half of the hypervisor's own, enough for 4 GiB of guest memory. */
export const NESTED_FRAME = HYPERVISOR_FRAMES / 2;
export const NESTED_FRAMES_END = HYPERVISOR_FRAMES;

const LINK = PTE_P | PTE_W | PTE_U;

export class HostTables {
  /** 3 or 4. */
  readonly levels: number;
  /** First frame that was never handed out. */
  next = NESTED_FRAME;
  private readonly memory: HostMemory;

  constructor(memory: HostMemory, levels: number) {
    this.memory = memory;
    this.levels = levels;
  }

  /** Host byte address of the top table. */
  get root(): number {
    return NESTED_FRAME << 12;
  }

  /** Tables in use, the top one included. */
  get tables(): number {
    return this.next - NESTED_FRAME;
  }

  /** Only the top table, empty. */
  begin(): void {
    this.clear();
    this.next = NESTED_FRAME + 1;
    this.memory.touch(NESTED_FRAME);
  }

  /** Gives every frame back, all zero. */
  clear(): void {
    const { memory } = this;
    for (let frame = NESTED_FRAME; frame < this.next; frame++) {
      memory.i32.fill(0, frame << 10, (frame + 1) << 10);
      memory.touch(frame);
    }
    this.next = NESTED_FRAME;
  }

  /** Maps one page. False: the frames were used up and every other translation was dropped for it. */
  map(gfn: number, hfn: number): boolean {
    let kept = true;
    if (this.next + this.levels > NESTED_FRAMES_END) {
      this.begin();
      kept = false;
    }
    let table = NESTED_FRAME;
    for (let level = this.levels; level > 1; level--) {
      const at = this.entryAt(table, gfn, level);
      // The topmost of three levels has PDPTEs, which carry no rights.
      const bits = level === 3 && this.levels === 3 ? PTE_P : LINK;
      table = this.tableBelow(at, bits);
    }
    this.set(this.entryAt(table, gfn, 1), (hfn << 12) | LINK);
    return kept;
  }

  /** The table that an entry names, made when there is none, or when somebody has damaged the entry. */
  private tableBelow(at: number, bits: number): number {
    const low = this.memory.i32[at >> 2]!;
    const named = low >>> 12;
    const intact =
      (low & 0xfff & ~(PTE_A | PTE_D)) === bits &&
      this.memory.i32[(at >> 2) + 1] === 0 &&
      named > NESTED_FRAME &&
      named < this.next;
    if (intact) return named;
    const fresh = this.next++;
    this.memory.touch(fresh);
    this.set(at, (fresh << 12) | bits);
    return fresh;
  }

  private entryAt(table: number, gfn: number, level: number): number {
    return (table << 12) | (((gfn >>> (9 * (level - 1))) & 511) << 3);
  }

  private set(at: number, low: number): void {
    this.memory.i32[at >> 2] = low;
    this.memory.i32[(at >> 2) + 1] = 0;
    this.memory.touch(at >>> 12);
  }
}
