/**
 * The shadow as a scenario and a comparison see it: pages by their keys, sptes in words, and what differs between two
 * shadows (or host tables, host-tables.ts) or two states of guest memory. Everything here peeks.
 */
import type { ShadowPage } from "../kvm/index.ts";
import type { Machine } from "../machine/machine.ts";
import { diffHostTables, type HostChange, type HostImage, takeHostTables } from "./host-tables.ts";
import type { PageKey } from "./predictions.ts";
import { hex, hex64, toNumber } from "./values.ts";

const P = 0x1;
const W = 0x2;
const U = 0x4;
const A_D = 0x60;
const PAGE = 4096;
const SPTES = 512;

/** Key of a shadow page as plain numbers. */
export interface PlainKey {
  readonly gfn: number;
  readonly level: number;
  readonly quadrant: number;
  readonly metaphysical: boolean;
  readonly role: number;
}

export const keyOf = ({ gfn, role }: ShadowPage): PlainKey => ({
  gfn,
  level: role.level,
  quadrant: role.quadrant,
  metaphysical: role.metaphysical,
  role: role.word,
});

/** "page table gfn 0x1234 quadrant 1", as the field says it. */
export function keyText({ gfn, level, quadrant, metaphysical }: Omit<PlainKey, "role">): string {
  const what = metaphysical ? "metaphysical page" : level === 1 ? "page table" : "page directory";
  return `${what} gfn ${hex(gfn)} level ${level} quadrant ${quadrant}`;
}

export function wantedKeyText(key: PageKey): string {
  if (key.role !== undefined)
    return `shadow page gfn ${hex(toNumber(key.gfn))} role ${hex(toNumber(key.role))}`;
  return keyText({
    gfn: toNumber(key.gfn),
    level: key.level ?? 1,
    quadrant: key.quadrant ?? 0,
    metaphysical: key.metaphysical ?? false,
  });
}

export function fits(page: ShadowPage, key: PageKey): boolean {
  if (page.gfn !== toNumber(key.gfn)) return false;
  const { role } = page;
  if (key.role !== undefined) return role.word === toNumber(key.role);
  return (
    role.level === (key.level ?? 1) &&
    role.quadrant === (key.quadrant ?? 0) &&
    role.metaphysical === (key.metaphysical ?? false)
  );
}

export function findPage(machine: Machine, key: PageKey): ShadowPage | undefined {
  return machine.kvm?.shadowPages().find((page) => fits(page, key));
}

/** An spte, its two words unsigned. */
export interface Spte {
  readonly low: number;
  readonly high: number;
  readonly level: number;
}

export function readSpte(machine: Machine, hpa: number, index: number, level: number): Spte {
  const at = (hpa >>> 2) + index * 2;
  return { low: machine.memory.u32[at]!, high: machine.memory.u32[at + 1]!, level };
}

export const isPresent = ({ low }: Spte): boolean => (low & P) !== 0;

/** Guest-physical page that a present leaf maps, or -1. */
export function mapped(machine: Machine, spte: Spte): number {
  const gfn = machine.slots.gfnOf((spte.low >>> 12) + (spte.high & 0xf_ffff) * 2 ** 20);
  return gfn < 0 ? -1 : gfn * PAGE;
}

/** Key of the page that a present non-leaf spte links to, or null. */
export function linked(machine: Machine, spte: Spte): PlainKey | null {
  const hpa = (spte.low & 0xffff_f000) >>> 0;
  const page = machine.kvm?.shadowPages().find((one) => one.hpa === hpa);
  return page === undefined ? null : keyOf(page);
}

/** An spte in words: what it maps or links to, and its rights. */
export function spteText(machine: Machine, spte: Spte): string {
  if (spte.low === 0 && spte.high === 0) return "empty";
  if (!isPresent(spte))
    return (spte.low & 0x200) !== 0 ? `MMIO mark ${hex64(spte)}` : `not present (${hex64(spte)})`;
  if (spte.level > 1) {
    const key = linked(machine, spte);
    return key === null ? `links to ${hex(spte.low & ~0xfff)}` : `links to ${keyText(key)}`;
  }
  const gpa = mapped(machine, spte);
  const rights = [(spte.low & W) !== 0 ? "W" : "read-only", (spte.low & U) !== 0 ? "U" : "supervisor"];
  if (spte.high >>> 31 === 1) rights.push("NX");
  return `maps ${gpa < 0 ? `host ${hex64(spte)}` : `gpa ${hex(gpa)}`}, ${rights.join(" ")}`;
}

// ---- states that can be held against each other ----

export interface ShadowImage {
  readonly pages: ReadonlyMap<
    string,
    { readonly key: PlainKey; readonly hpa: number; readonly words: Uint32Array }
  >;
  /** The host tables, which nested paging has in place of a shadow. */
  readonly host: HostImage;
}

const nameOf = (key: PlainKey): string => `${key.gfn}/${key.role}`;

export function takeShadow(machine: Machine): ShadowImage {
  const pages = new Map<string, { key: PlainKey; hpa: number; words: Uint32Array }>();
  for (const page of machine.kvm?.shadowPages() ?? []) {
    const key = keyOf(page);
    const at = page.hpa >>> 2;
    pages.set(nameOf(key), { key, hpa: page.hpa, words: machine.memory.u32.slice(at, at + SPTES * 2) });
  }
  return { pages, host: takeHostTables(machine) };
}

export interface SpteChange {
  readonly key: PlainKey;
  readonly index: number;
  readonly before: Spte;
  readonly after: Spte;
}

export interface ShadowDifference {
  /** Keys of pages that only one of the two has. */
  readonly onlyFirst: readonly PlainKey[];
  readonly onlySecond: readonly PlainKey[];
  readonly sptes: readonly SpteChange[];
  /** Guest frames that the host tables of nested paging map differently. */
  readonly host: readonly HostChange[];
}

/** Links to shadow pages are equal when the pages' keys are; A and D, which the processor sets, count as equal. */
export function diffShadow(
  first: ShadowImage,
  second: ShadowImage,
  most = Number.POSITIVE_INFINITY,
): ShadowDifference {
  const onlyFirst: PlainKey[] = [];
  const onlySecond: PlainKey[] = [];
  const sptes: SpteChange[] = [];
  const firstAt = byHpa(first);
  const secondAt = byHpa(second);
  for (const [name, one] of first.pages) {
    const other = second.pages.get(name);
    if (other === undefined) {
      onlyFirst.push(one.key);
      continue;
    }
    const { level } = one.key;
    for (let i = 0; i < SPTES && sptes.length < most; i++) {
      const before: Spte = { low: one.words[i * 2]!, high: one.words[i * 2 + 1]!, level };
      const after: Spte = { low: other.words[i * 2]!, high: other.words[i * 2 + 1]!, level };
      if (sameSpte(before, after, firstAt, secondAt)) continue;
      sptes.push({ key: one.key, index: i, before, after });
    }
  }
  for (const [name, one] of second.pages) if (!first.pages.has(name)) onlySecond.push(one.key);
  return { onlyFirst, onlySecond, sptes, host: diffHostTables(first.host, second.host, most) };
}

const byHpa = ({ pages }: ShadowImage): Map<number, string> =>
  new Map([...pages].map(([name, page]) => [page.hpa, name]));

function sameSpte(a: Spte, b: Spte, pagesOfA: Map<number, string>, pagesOfB: Map<number, string>): boolean {
  if ((a.low & ~A_D) !== (b.low & ~A_D) || a.high !== b.high) {
    if (a.level === 1 || !isPresent(a) || !isPresent(b)) return false;
    if ((a.low & 0xf9f) !== (b.low & 0xf9f)) return false;
  } else if (a.level === 1 || !isPresent(a)) return true;
  return pagesOfA.get((a.low & 0xffff_f000) >>> 0) === pagesOfB.get((b.low & 0xffff_f000) >>> 0);
}

/** Guest-physical addresses of the 4-byte words that differ between a memory image and a machine, ascending. */
export function changedWords(
  image: { readonly hfns: Uint32Array; readonly bytes: Uint8Array },
  machine: Machine,
  most: number,
): number[] {
  const { memory, slots } = machine;
  const view = new DataView(image.bytes.buffer, image.bytes.byteOffset, image.bytes.byteLength);
  const at = new Map<number, number>([...image.hfns].map((hfn, i) => [hfn, i]));
  const found: number[] = [];
  for (let hfn = 0; hfn < memory.frames && found.length < most; hfn++) {
    const i = at.get(hfn);
    if (i === undefined && memory.version[hfn] === 0) continue;
    const gfn = slots.gfnOf(hfn);
    if (gfn < 0) continue;
    for (let word = 0; word < PAGE / 4 && found.length < most; word++) {
      const before = i === undefined ? 0 : view.getUint32(i * PAGE + word * 4, true);
      if (before !== memory.u32[hfn * (PAGE / 4) + word]) found.push(gfn * PAGE + word * 4);
    }
  }
  return found.sort((a, b) => a - b);
}
