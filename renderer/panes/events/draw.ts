/**
 * Draws an event's pieces into a row. While the machine runs every row on the screen is another event ten times a
 * second: the spans that are there are used again, and what says the same is left alone.
 */
import type { Piece } from "./describe.ts";

/** A Svelte action: one span a piece, spaces between them. */
export function pieces(node: HTMLElement, shown: readonly Piece[]) {
  draw(node, shown);
  return { update: (next: readonly Piece[]) => draw(node, next) };
}

function draw(node: HTMLElement, shown: readonly Piece[]): void {
  for (const [i, { text, tone }] of shown.entries()) {
    const span = node.children[i] ?? node.appendChild(newSpan());
    const words = span.firstChild as Text;
    const said = i === 0 ? text : ` ${text}`;
    if (words.data !== said) words.data = said;
    const look = `tone-${tone}`;
    if (span.className !== look) span.className = look;
  }
  while (node.children.length > shown.length) node.lastElementChild!.remove();
}

function newSpan(): HTMLSpanElement {
  const span = document.createElement("span");
  span.append("");
  return span;
}
