/**
 * The memory view: bytes of one of the three spaces, which of them are there, which changed, and what each page is.
 */
import { PAGE_SIZE } from "../../memory/host-memory.ts";
import type { LabContext } from "../context.ts";
import { LabError } from "../error.ts";
import {
  type MemoryPageInfo,
  type MemoryView,
  ROLE_NO_MEMORY,
  ROLE_NOT_MAPPED,
  type ViewRequest,
} from "../protocol/index.ts";
import type { View } from "./view.ts";

const ABSENT = 0;
const READABLE = 1;
const CHANGED = 2;

type Request = Extract<ViewRequest, { kind: "memory" }>;

export function openMemory(lab: LabContext, request: Request): View {
  const limit = request.space === "gva" ? 2 ** 32 : request.space === "hpa" ? 2 ** 31 : 2 ** 36;
  if (request.address >= limit) {
    throw new LabError(
      `address 0x${request.address.toString(16)} is beyond the end of ${request.space} space`,
    );
  }
  return new Memory(lab, { ...request, length: Math.min(request.length, limit - request.address) });
}

class Memory implements View {
  private pages: MemoryPageInfo[] = [];
  private bytes = new Uint8Array(0);
  private state = new Uint8Array(0);
  private seen = 0;
  private machine: object | null = null;
  private first = true;

  constructor(
    private readonly lab: LabContext,
    private readonly request: Request,
  ) {}

  collect(): MemoryView | null {
    const pages = this.describePages();
    const sameMachine = this.machine === this.lab.machine;
    this.machine = this.lab.machine;
    if (!this.first && sameMachine && samePages(pages, this.pages) && !this.written(pages)) return null;
    this.seen = this.lab.memory.epoch;
    const sameInfo = samePages(pages, this.pages);
    const { bytes, state, changed } = this.read(pages);
    const silent = !this.first && sameInfo && !changed;
    this.pages = pages;
    this.bytes = bytes;
    this.state = state;
    this.first = false;
    if (silent) return null;
    const { space, address } = this.request;
    return { kind: "memory", space, address, bytes: bytes.slice(), state: state.slice(), pages };
  }

  private describePages(): MemoryPageInfo[] {
    const { address, length } = this.request;
    const pages: MemoryPageInfo[] = [];
    for (let at = address - (address % PAGE_SIZE); at < address + length; at += PAGE_SIZE) {
      pages.push(this.describePage(at));
    }
    return pages;
  }

  private describePage(address: number): MemoryPageInfo {
    const { lab } = this;
    const { space } = this.request;
    if (space === "hpa") return lab.hostPage(address);
    if (space === "gpa") return { ...lab.guestPage(address / PAGE_SIZE), address };
    const gpa = lab.translate(address);
    if (gpa < 0) return { ...NOT_MAPPED, address };
    return { ...lab.guestPage(Math.floor(gpa / PAGE_SIZE)), address };
  }

  private written(pages: readonly MemoryPageInfo[]): boolean {
    const { version } = this.lab.memory;
    return pages.some((page) => page.hpa >= 0 && version[page.hpa / PAGE_SIZE]! > this.seen);
  }

  private read(pages: readonly MemoryPageInfo[]) {
    const { address, length } = this.request;
    const bytes = new Uint8Array(length);
    const state = new Uint8Array(length);
    for (const page of pages) {
      if (page.hpa < 0 || page.role === ROLE_NO_MEMORY) continue;
      const from = Math.max(page.address, address);
      const to = Math.min(page.address + PAGE_SIZE, address + length);
      const at = page.hpa + (from - page.address);
      bytes.set(this.lab.memory.bytes.subarray(at, at + to - from), from - address);
      state.fill(READABLE, from - address, to - address);
    }
    let changed = this.first;
    if (!this.first) {
      for (let i = 0; i < length; i++) {
        const readable = state[i] !== ABSENT;
        if (readable !== (this.state[i] !== ABSENT)) changed = true;
        else if (readable && bytes[i] !== this.bytes[i]) {
          state[i] = CHANGED;
          changed = true;
        }
      }
    }
    return { bytes, state, changed };
  }
}

const NOT_MAPPED: MemoryPageInfo = {
  address: 0,
  role: ROLE_NOT_MAPPED,
  gpa: -1,
  hpa: -1,
  entrySize: 0,
  level: 0,
  writeProtected: false,
};

function samePages(a: readonly MemoryPageInfo[], b: readonly MemoryPageInfo[]): boolean {
  return (
    a.length === b.length &&
    a.every((p, i) => {
      const q = b[i]!;
      return (
        p.role === q.role &&
        p.hpa === q.hpa &&
        p.gpa === q.gpa &&
        p.level === q.level &&
        p.entrySize === q.entrySize &&
        p.writeProtected === q.writeProtected
      );
    })
  );
}
