/**
 * The picture the product is named after: one guest table beside all its shadow pages, what the last write to it
 * touched and skipped, and what the next instruction is about to do to it.
 */

import { WRITE_PAGE_WORDS, type WriteRecord } from "../../kvm/index.ts";
import type { GuestTable } from "../../machine/peek/guest-tables.ts";
import type { LabContext } from "../context.ts";
import type { LastWrite, ShadowPageInfo, TableView, ViewRequest } from "../protocol/index.ts";
import { nextStore } from "../upcoming.ts";
import { SPTES, SpteWatch } from "./shadow-pages.ts";
import { Rest, type View } from "./view.ts";

type Request = Extract<ViewRequest, { kind: "table" }>;

/** Frames shown beside the sptes. */
const FRAMES_MOST = 64;
const WORDS = 1024;
const NAMES = ["", "page table", "page directory", "PDPT"];

export function openTable(lab: LabContext, request: Request): View {
  return new Table(lab, request);
}

class Table implements View {
  readonly calm = "words";
  private readonly rest = new Rest();
  private readonly watches = new Map<number, SpteWatch>();
  private entries = new Uint32Array(0);
  private changed = new Uint8Array(0);
  private gfn = -1;
  private entrySize: 4 | 8 = 4;
  private hfn = -1;
  private machine: object | null = null;
  private seen = 0;
  private header = "";
  /** The write that the words are about, and the newest one known of. */
  private write: FoundWrite | null = null;
  private newest = 0;
  private frames: TableView["frames"] = [];
  /** A push went without words: they follow, whether anything changes or not. */
  private owed = false;

  constructor(
    private readonly lab: LabContext,
    private readonly request: Request,
  ) {}

  collect(turn: boolean): TableView | null {
    const { lab } = this;
    const words = this.rest.mayTell(turn) || this.machine !== lab.machine;
    const record = this.lastWrite();
    const newWrite = (record?.seq ?? 0) !== this.newest;
    this.newest = record?.seq ?? 0;
    if (words) this.write = record === undefined ? null : describeWrite(record);
    const { write } = this;

    const tables = lab.guestTables();
    const next = lab.running ? null : nextStore(lab);
    const gfn = this.request.gfn ?? next?.gfn ?? write?.gfn ?? lab.paging().cr3 >>> 12;
    const upcoming = next?.gfn === gfn ? next.write : null;
    const lastWrite = write?.gfn === gfn ? write.write : null;
    const { level, entrySize, gvaBase } = this.describe(gfn, tables);
    const infos = lab
      .shadowPages()
      .filter((p) => p.gfn === gfn && !p.metaphysical && p.level === level)
      .toSorted((a, b) => a.quadrant - b.quadrant || a.role - b.role);

    const newEntries = this.lookAtEntries(gfn, entrySize);
    const newSptes = this.lookAtSptes(infos);
    const bad = infos.map((info) => lab.badSptes(info.hpa));
    const header = JSON.stringify([
      gfn,
      level,
      entrySize,
      gvaBase,
      infos,
      bad,
      tables.length,
      upcoming,
      lastWrite?.seq,
    ]);
    const news = newEntries || newSptes || header !== this.header;
    this.rest.saw(news || newWrite);
    if (!news && !(words && this.owed)) return null;
    this.header = header;
    this.owed = !words;
    if (words) this.frames = level === 1 ? this.framesOf(infos, lastWrite) : [];
    const shadows = infos.map((info, i) => {
      const watch = this.watches.get(info.hpa)!;
      return { info, sptes: watch.words.slice(), changed: watch.changed.slice(), bad: bad[i]! };
    });
    return {
      kind: "table",
      words,
      gfn,
      level,
      entrySize,
      entries: this.entries.slice(),
      changed: this.changed.slice(),
      gvaBase,
      shadows,
      lastWrite,
      upcoming,
      frames: this.frames,
      tables: tables.map((t) => ({ gfn: t.gfn, level: t.level, label: labelOf(t) })),
    };
  }

  /** The last write to the table asked for, or to any. */
  private lastWrite(): WriteRecord | undefined {
    const writes = this.lab.machine.kvm?.mmu.lastWrites;
    return this.request.gfn === null ? (writes?.newest ?? undefined) : writes?.of(this.request.gfn);
  }

  /** True when an spte of the shadow pages changed, or another page stands in their place. */
  private lookAtSptes(infos: readonly ShadowPageInfo[]): boolean {
    let any = false;
    for (const { hpa } of infos) {
      let watch = this.watches.get(hpa);
      if (watch === undefined) {
        watch = new SpteWatch(this.lab);
        this.watches.set(hpa, watch);
      }
      if (watch.look(hpa)) any = true;
    }
    for (const hpa of this.watches.keys()) if (!infos.some((i) => i.hpa === hpa)) this.watches.delete(hpa);
    return any;
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
  private framesOf(infos: readonly ShadowPageInfo[], write: LastWrite | null) {
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
  readonly write: LastWrite;
}

/** A record as it stands now: the next write to its page overwrites it. */
function describeWrite(record: WriteRecord): FoundWrite {
  const { gfn, seq, time, offset, bytes, low, high, flooded, count, rows } = record;
  const pages: LastWrite["pages"][number][] = [];
  for (let at = 0; at < record.pages * WRITE_PAGE_WORDS; at += WRITE_PAGE_WORDS) {
    const [hpa, role, verdict, quadrant, index, npte] = rows.subarray(at, at + WRITE_PAGE_WORDS);
    pages.push({
      hpa: hpa!,
      role: role!,
      verdict: verdict!,
      quadrant: quadrant!,
      index: index!,
      npte: npte!,
    });
  }
  return { gfn, write: { seq, time, offset, bytes, low, high, flooded, count, pages } };
}
