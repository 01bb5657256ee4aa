/**
 * The walk in two dimensions, read by peeking: a row for each guest step (directory, page table, page), in it the host
 * entries that translate the step's guest-physical address. Nothing is set, counted or cached.
 * AMD vol. 2, 15.25; docs/nested-paging.md.
 */
import type { HostMemory } from "../../memory/host-memory.ts";
import type { Nested } from "../../x86/paging/nested.ts";
import { type GuestTranslation, PTE_P, PTE_PS } from "./guest-walk.ts";

export interface HostStep {
  /** 4 to 1. */
  readonly level: number;
  readonly index: number;
  /** Host-physical address of the entry. */
  readonly hpa: number;
  readonly low: number;
  readonly high: number;
  /** The entry says where to go on. */
  readonly present: boolean;
  /** A walk cache knows what this entry says: the processor would not read it. */
  readonly cached: boolean;
}

export interface NestedRow {
  /** "PDE 32", "PTE 72", "page". */
  readonly label: string;
  /** Guest-physical address that is translated: of the guest's entry, or of the byte itself. */
  readonly gpa: number;
  /** Top down. */
  readonly host: readonly HostStep[];
  /** Host-physical address, or -1: a nested fault here. */
  readonly hpa: number;
  /** Entries that the processor would read for this row, the guest's own included. */
  readonly references: number;
  /** The guest's walk cache knows the directory entry: nothing of this row is read. */
  readonly spared: boolean;
}

export interface NestedWalk {
  readonly levels: number;
  readonly walkCache: number;
  readonly rows: readonly NestedRow[];
  /** Of all rows, as the walk would go now. */
  readonly references: number;
  /** (g + 1)(h + 1) - 1 for the guest's g table levels in memory: a whole walk without caches. */
  readonly formula: number;
  readonly text: string;
}

/** @param guest the same access, walked through the guest's tables */
export function walkNested(
  memory: HostMemory,
  unit: Nested,
  gva: number,
  guest: GuestTranslation,
): NestedWalk {
  const rows: NestedRow[] = [];
  // PDPTEs stand in registers; a walk reads none.
  const steps = guest.steps.filter((step) => step.level < 3);
  const begun = steps.length > 1 && unit.knowsDirectory(gva);
  let broken = "";
  for (const step of steps) {
    const row = translate(memory, unit, step.label, step.gpa, begun ? ABOVE - step.level : ENTRY);
    rows.push(row);
    if (row.hpa >= 0) continue;
    broken = step.label;
    break;
  }
  if (broken === "" && guest.ok) {
    const row = translate(memory, unit, "page", guest.gpa, PAGE);
    rows.push(row);
    if (row.hpa < 0) broken = "page";
  }
  const references = rows.reduce((sum, row) => sum + row.references, 0);
  const formula = (steps.length + 1) * (unit.levels + 1) - 1;
  const text =
    broken !== ""
      ? `no host translation for the ${broken}: a nested fault, the hypervisor answers it`
      : guest.ok
        ? `${references} references; without caches (${steps.length} + 1)(${unit.levels} + 1) - 1 = ${formula}`
        : `${references} references, then the guest's own page fault: no exit`;
  return { levels: unit.levels, walkCache: unit.cacheSize, rows, references, formula, text };
}

/** What a row is: a guest entry, one that the guest's walk cache spares, one in a table whose frame it knows, the page. */
const ENTRY = 0;
const SPARED = 1;
const TABLE_KNOWN = 2;
const PAGE = 3;
/** Less the level: SPARED for the directory, TABLE_KNOWN for the page table. */
const ABOVE = 3;

function translate(memory: HostMemory, unit: Nested, label: string, gpa: number, kind: number): NestedRow {
  const gfn = Math.floor(gpa / 4096);
  const frameKnown = kind === SPARED || kind === TABLE_KNOWN;
  const upperKnown = unit.knowsTable(gfn);
  const host: HostStep[] = [];
  let table = unit.root >>> 12;
  let hpa = -1;
  for (let level = unit.levels; level > 0; level--) {
    const index = (gfn >>> (9 * (level - 1))) & 511;
    const at = table * 4096 + index * 8;
    const inMemory = table < memory.frames;
    const low = inMemory ? memory.u32[at >>> 2]! : 0xffff_ffff;
    const high = inMemory ? memory.u32[(at >>> 2) + 1]! : 0xffff_ffff;
    const present = inMemory && (low & PTE_P) !== 0;
    host.push({ level, index, hpa: at, low, high, present, cached: frameKnown || (upperKnown && level > 1) });
    if (!present) break;
    table = ((high & 0xf) << 20) | (low >>> 12);
    if (level === 2 && (low & PTE_PS) !== 0) {
      hpa = (Math.floor(table / 512) * 512 + (gfn & 511)) * 4096 + (gpa % 4096);
      break;
    }
    if (level === 1) hpa = table * 4096 + (gpa % 4096);
  }
  const own = (kind === ENTRY || kind === TABLE_KNOWN) && hpa >= 0 ? 1 : 0;
  const references = host.filter((step) => !step.cached).length + own;
  return { label, gpa, host, hpa, references, spared: kind === SPARED };
}
