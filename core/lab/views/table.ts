/**
 * The picture the product is named after: one guest table beside all its shadow pages, what the last write to it
 * touched and skipped, and what the next instruction is about to do to it.
 */

import type { GuestTable } from "../../machine/peek/guest-tables.ts";
import { EV_EXIT, EV_PTE_WRITE, EV_PTE_WRITE_PAGE } from "../../trace/events.ts";
import type { LabContext } from "../context.ts";
import type { LastWrite, ShadowPageInfo, TableView, ViewRequest } from "../protocol/index.ts";
import { nextStore } from "../upcoming.ts";
import { SPTES, SpteWatch } from "./shadow-pages.ts";
import type { View } from "./view.ts";

type Request = Extract<ViewRequest, { kind: "table" }>;

/** Frames shown beside the sptes. */
const FRAMES_MOST = 64;
const WORDS = 1024;
const NAMES = ["", "page table", "page directory", "PDPT"];

export function openTable(lab: LabContext, request: Request): View {
  return new Table(lab, request);
}

class Table implements View {
  private readonly watches = new Map<number, SpteWatch>();
  private readonly writes: LastWriteFinder;
  private entries = new Uint32Array(0);
  private changed = new Uint8Array(0);
  private gfn = -1;
  private entrySize: 4 | 8 = 4;
  private hfn = -1;
  private machine: object | null = null;
  private seen = 0;
  private header = "";

  constructor(
    private readonly lab: LabContext,
    private readonly request: Request,
  ) {
    this.writes = new LastWriteFinder(lab, request.gfn);
  }

  collect(): TableView | null {
    const { lab } = this;
    const tables = lab.guestTables();
    const write = this.writes.look();
    const next = lab.running ? null : nextStore(lab);
    const gfn = this.request.gfn ?? next?.gfn ?? write?.gfn ?? lab.paging().cr3 >>> 12;
    const upcoming = next?.gfn === gfn ? next.write : null;
    const { level, entrySize, gvaBase } = this.describe(gfn, tables);
    const infos = lab
      .shadowPages()
      .filter((p) => p.gfn === gfn && !p.metaphysical && p.level === level)
      .toSorted((a, b) => a.quadrant - b.quadrant || a.role - b.role);

    const newEntries = this.lookAtEntries(gfn, entrySize);
    let newSptes = false;
    for (const info of infos) {
      let watch = this.watches.get(info.hpa);
      if (watch === undefined) {
        watch = new SpteWatch(lab);
        this.watches.set(info.hpa, watch);
      }
      if (watch.look(info.hpa)) newSptes = true;
    }
    for (const hpa of this.watches.keys()) if (!infos.some((i) => i.hpa === hpa)) this.watches.delete(hpa);

    const bad = infos.map((info) => lab.badSptes(info.hpa));
    const header = JSON.stringify([
      gfn,
      level,
      entrySize,
      gvaBase,
      infos,
      write?.seq ?? -1,
      bad,
      tables.length,
      upcoming,
    ]);
    if (!newEntries && !newSptes && header === this.header) return null;
    this.header = header;
    const shadows = infos.map((info, i) => {
      const watch = this.watches.get(info.hpa)!;
      return { info, sptes: watch.words.slice(), changed: watch.changed.slice(), bad: bad[i]! };
    });
    return {
      kind: "table",
      gfn,
      level,
      entrySize,
      entries: this.entries.slice(),
      changed: this.changed.slice(),
      gvaBase,
      shadows,
      lastWrite: write?.gfn === gfn ? write.write : null,
      upcoming,
      frames: level === 1 ? this.frames(infos, write?.gfn === gfn ? write.write : null) : [],
      tables: tables.map((t) => ({ gfn: t.gfn, level: t.level, label: labelOf(t) })),
    };
  }

  /** Level and format: as asked for, else as the address space links it, else as it is shadowed. */
  private describe(gfn: number, tables: readonly GuestTable[]) {
    const linked = tables.filter((t) => t.gfn === gfn);
    const table = linked.find((t) => t.level === this.request.level) ?? linked[0];
    if (table !== undefined && (this.request.level === null || table.level === this.request.level)) {
      return { level: table.level, entrySize: table.entrySize, gvaBase: table.gvaBase as number | null };
    }
    const shadow = this.lab
      .shadowPages()
      .find(
        (p) =>
          p.gfn === gfn && !p.metaphysical && (this.request.level === null || p.level === this.request.level),
      );
    const pae = shadow === undefined ? this.lab.paging().mode === "PAE" : shadow.glevels > 2;
    const entrySize: 4 | 8 = pae ? 8 : 4;
    return { level: shadow?.level ?? this.request.level ?? 1, entrySize, gvaBase: null };
  }

  private lookAtEntries(gfn: number, entrySize: 4 | 8): boolean {
    const { memory, slots } = this.lab;
    const hfn = slots.hfnOf(gfn);
    const sameMachine = this.machine === this.lab.machine;
    const again = gfn === this.gfn && hfn === this.hfn && entrySize === this.entrySize;
    this.machine = this.lab.machine;
    // Another machine's versions are counted anew.
    if (again && sameMachine && (hfn < 0 || memory.version[hfn]! <= this.seen)) {
      this.changed.fill(0);
      return false;
    }
    this.seen = memory.epoch;
    const now = hfn < 0 ? new Uint32Array(0) : memory.u32.slice(hfn * WORDS, (hfn + 1) * WORDS);
    const words = entrySize / 4;
    const changed = new Uint8Array(now.length / words);
    let any = !again;
    if (again) {
      for (let i = 0; i < now.length; i++) {
        if (now[i] === this.entries[i]) continue;
        changed[Math.floor(i / words)] = 1;
        any = true;
      }
    }
    this.gfn = gfn;
    this.hfn = hfn;
    this.entrySize = entrySize;
    this.entries = now;
    this.changed = changed;
    return any;
  }

  /** The frames that present leaves map, those nearest the last write's index first. */
  private frames(infos: readonly ShadowPageInfo[], write: LastWrite | null) {
    const near = write?.pages[0]?.index ?? 0;
    const found: { hfn: number; gfn: number; rmap: number; spte: number; far: number }[] = [];
    for (const info of infos) {
      const { words } = this.watches.get(info.hpa)!;
      for (let i = 0; i < SPTES; i++) {
        if ((words[i * 2]! & 1) === 0) continue;
        const hfn = (words[i * 2]! >>> 12) + (words[i * 2 + 1]! & 0xf) * 2 ** 20;
        const far = Math.abs(i - near);
        found.push({ hfn, gfn: this.lab.slots.gfnOf(hfn), rmap: 0, spte: info.hpa + i * 8, far });
      }
    }
    found.sort((a, b) => a.far - b.far || a.spte - b.spte);
    return found
      .slice(0, FRAMES_MOST)
      .map(({ hfn, gfn, spte }) => ({ hfn, gfn, rmap: this.lab.rmapCount(hfn), spte }));
  }
}

const labelOf = (table: GuestTable): string =>
  `${NAMES[table.level]} gfn 0x${table.gfn.toString(16)} (gva 0x${table.gvaBase.toString(16)})`;

interface FoundWrite {
  readonly gfn: number;
  readonly seq: number;
  readonly write: LastWrite;
}

/** Finds the last pte_write to a gfn (or to any) in the trace; each look searches only what is new. */
class LastWriteFinder {
  private searched = 0;
  private found: FoundWrite | null = null;
  private machine: object | null = null;

  constructor(
    private readonly lab: LabContext,
    private readonly gfn: number | null,
  ) {}

  look(): FoundWrite | null {
    const { trace } = this.lab.machine;
    if (this.machine !== this.lab.machine || trace.count < this.searched) {
      this.machine = this.lab.machine;
      this.searched = 0;
      this.found = null;
    }
    const oldest = Math.max(this.searched, trace.oldest);
    this.searched = trace.count;
    for (let seq = trace.count - 1; seq >= oldest; seq--) {
      if (trace.kindAt(seq) !== EV_PTE_WRITE) continue;
      const event = trace.at(seq)!;
      const gfn = event.words[0]!;
      if (this.gfn !== null && gfn !== this.gfn) continue;
      this.found = { gfn, seq, write: this.describe(seq) };
      break;
    }
    return this.found;
  }

  private describe(seq: number): LastWrite {
    const { trace } = this.lab.machine;
    const event = trace.at(seq)!;
    const [, offset, bytes, low, high, count, flooded] = event.words as number[];
    const pages: LastWrite["pages"][number][] = [];
    for (let next = seq + 1; next < trace.count; next++) {
      const kind = trace.kindAt(next);
      if (kind === EV_PTE_WRITE || kind === EV_EXIT) break;
      if (kind !== EV_PTE_WRITE_PAGE) continue;
      const [hpa, role, verdict, quadrant, index, npte] = trace.at(next)!.words as number[];
      pages.push({
        hpa: hpa!,
        role: role!,
        verdict: verdict!,
        quadrant: quadrant!,
        index: index!,
        npte: npte!,
      });
    }
    return {
      seq,
      time: event.time,
      offset: offset!,
      bytes: bytes!,
      low: low!,
      high: high!,
      flooded: flooded !== 0,
      count: count!,
      pages,
    };
  }
}
