/**
 * The list of all shadow pages, and one page with its 512 sptes.
 */
import type { LabContext } from "../context.ts";
import type { ShadowPagesView, ShadowPageView, ViewRequest } from "../protocol/index.ts";
import { comparingCalmly, type View } from "./view.ts";

export const SPTES = 512;

export function openShadowPages(lab: LabContext): View {
  return comparingCalmly((): ShadowPagesView => {
    const pages = lab.shadowPages();
    const { free, total } = lab.pool();
    return { kind: "shadowPages", pages, free, total, paeRoot: lab.paeRoot() };
  });
}

export function openShadowPage(lab: LabContext, request: Extract<ViewRequest, { kind: "shadowPage" }>): View {
  const page = new SpteWatch(lab);
  let last = "";
  return {
    collect(): ShadowPageView | null {
      const info = lab.shadowPages().find((p) => p.hpa === request.hpa) ?? null;
      const bad = lab.badSptes(request.hpa);
      const header = JSON.stringify([info, bad]);
      const news = info === null ? page.forget() : page.look(info.hpa);
      if (!news && header === last) return null;
      last = header;
      return { kind: "shadowPage", info, sptes: page.words.slice(), changed: page.changed.slice(), bad };
    },
  };
}

/** Watches the 512 sptes of one shadow page: which changed since the look before. */
export class SpteWatch {
  words = new Uint32Array(0);
  changed = new Uint8Array(0);
  private hpa = -1;
  private machine: object | null = null;
  private seen = 0;

  constructor(private readonly lab: LabContext) {}

  /** True when a word changed since the last look, or another page is looked at. */
  look(hpa: number): boolean {
    const { memory } = this.lab;
    const sameMachine = this.machine === this.lab.machine;
    const again = hpa === this.hpa;
    this.machine = this.lab.machine;
    // Another machine's versions are counted anew.
    if (again && sameMachine && memory.version[hpa >>> 12]! <= this.seen) {
      if (this.changed.some((c) => c !== 0)) this.changed.fill(0);
      return false;
    }
    this.seen = memory.epoch;
    const now = memory.u32.slice(hpa >>> 2, (hpa >>> 2) + SPTES * 2);
    const changed = new Uint8Array(SPTES);
    let any = !again;
    if (again) {
      for (let i = 0; i < SPTES; i++) {
        if (now[i * 2] === this.words[i * 2] && now[i * 2 + 1] === this.words[i * 2 + 1]) continue;
        changed[i] = 1;
        any = true;
      }
    }
    this.hpa = hpa;
    this.words = now;
    this.changed = changed;
    return any;
  }

  /** The page is gone. True when it was there at the last look. */
  forget(): boolean {
    const had = this.hpa >= 0 || this.words.length > 0;
    this.hpa = -1;
    this.words = new Uint32Array(0);
    this.changed = new Uint8Array(0);
    return had;
  }
}
