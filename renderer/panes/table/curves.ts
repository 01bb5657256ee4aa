/**
 * The curves of the table picture: from the entry in hand to exactly its sptes, and from those to what they name; from
 * a write also to what else it touches, and, dotted, to what it skips. Pure.
 */
import type { TableView } from "../../../core/lab/protocol/index.ts";
import { addressOf, hasBit } from "../memory/entry-bits.ts";
import { cellEdge, curve, HEAD, type Layout } from "./layout.ts";
import type { Band, Linked, Verdict } from "./model.ts";
import { TARGET_ROW, type Target } from "./targets.ts";

export interface Curve {
  /** Path data, in the stage's pixels. */
  readonly d: string;
  /** Curves have the hue of their quadrant, or that of a fresh write. */
  readonly tone: string;
  readonly thin: boolean;
  /** Tells of a write that is still to come. */
  readonly soon: boolean;
}

export interface Drawn {
  readonly view: TableView;
  readonly at: Layout;
  readonly bands: readonly Band[];
  readonly linked: Linked | null;
  readonly targets: readonly Target[];
  /** What the shown write does, when the entry in hand is the one it writes; else null. */
  readonly verdicts: readonly Verdict[] | null;
  /** That write is still to come. */
  readonly next: boolean;
}

export function curvesOf({ view, at, bands, linked, targets, verdicts, next }: Drawn): Curve[] {
  const band = linked === null ? undefined : bands[linked.quadrant];
  const place = linked === null ? undefined : at.bands[linked.quadrant];
  if (linked === null || band === undefined || place === undefined) return [];
  const paths: Curve[] = [];
  const written = verdicts !== null;
  const soon = written && next;
  const cell = (box: typeof place.guest, index: number, side: "left" | "right") =>
    box === place.guest
      ? cellEdge(box, index, at.guestColumns, at.guestCell, at.cellHeight, side)
      : cellEdge(box, index, at.shadowColumns, at.shadowCell, at.cellHeight, side);
  // Inside the grids a thin leader runs along the row; the curve begins outside, so that no cell is hidden.
  const leader = (x1: number, x2: number, y: number, tone: string) => {
    if (x2 - x1 > 3) paths.push({ d: `M${x1} ${y}H${x2}`, tone, thin: true, soon: false });
  };
  const entry = cell(place.guest, linked.entry - band.first, "right");
  const from = { x: place.guest.x + place.guest.width + 2, y: entry.y };
  const tone = written ? "hot" : view.entrySize === 4 ? `q${linked.quadrant}` : "plain";
  /** To an spte of a card. */
  const reach = (card: typeof place, spte: number, hue: string) => {
    const left = cell(card.shadow, spte, "left");
    paths.push({ d: curve(from, { x: card.card.x, y: left.y }), tone: hue, thin: false, soon });
    leader(card.card.x, left.x - 2, left.y, hue);
  };

  leader(entry.x + 2, from.x, entry.y, tone);
  for (const [k, spte] of linked.sptes.entries()) {
    if (k === 0) reach(place, spte.index, tone);
    if (at.frames === null || !hasBit(spte.value, 0)) continue;
    const key = addressOf(spte.value, "spte-leaf") / 4096;
    const row = targets.findIndex((target) => target.key === key);
    if (row < 0) continue;
    const right = cell(place.shadow, spte.index, "right");
    const edge = { x: place.card.x + place.card.width, y: right.y };
    const hue = written ? "hot" : view.level === 1 ? "host" : "plain";
    if (k === linked.sptes.length - 1) leader(right.x + 2, edge.x, right.y, hue);
    const end = { x: at.frames.x, y: at.frames.y + row * TARGET_ROW + TARGET_ROW / 2 - 2 };
    paths.push({ d: curve(edge, end), tone: hue, thin: false, soon });
  }
  if (linked.sptes.length === 0) {
    const middle = { x: place.card.x, y: place.card.y + place.card.height / 2 };
    paths.push({ d: curve(from, middle), tone: "none", thin: true, soon: false });
  }
  for (const verdict of verdicts ?? []) {
    const q = bands.findIndex((other) => other.shadow?.info.hpa === verdict.hpa);
    const other = at.bands[q];
    if (other === undefined || q === linked.quadrant) continue;
    const spte = verdict.sptes[0];
    // A policy that does not look at the quadrant touches the entry of the same index in the others as well.
    if (verdict.tone === "hit" && spte !== undefined) reach(other, spte, "hot");
    else if (verdict.tone === "skip") {
      const { x, y, height } = other.card;
      const head = { x, y: y + (at.compact ? height : HEAD) / 2 };
      paths.push({ d: curve(from, head), tone: "skip", thin: true, soon: false });
    }
  }
  return paths;
}
