/**
 * Edits as a person made them, with their opposites (undo is an edit of its own, through the same door), and
 * the ways of writing that each space has. Pure.
 */
import type { EditAs, Space } from "../../../core/lab/protocol/index.ts";
import type { Word } from "./cells.ts";
import type { CellSize } from "./geometry.ts";

export interface Edit {
  readonly space: Space;
  readonly as: EditAs;
  readonly address: number;
  readonly size: CellSize;
  readonly from: Word;
  readonly to: Word;
}

export const opposite = (edit: Edit): Edit => ({ ...edit, from: edit.to, to: edit.from });

/** Done and undone edits, newest last; at most 500 are kept. */
export class EditHistory {
  private done: Edit[] = [];
  private undone: Edit[] = [];

  add(edit: Edit): void {
    this.done.push(edit);
    if (this.done.length > 500) this.done.shift();
    this.undone = [];
  }
  get canUndo(): boolean {
    return this.done.length > 0;
  }
  get canRedo(): boolean {
    return this.undone.length > 0;
  }
  /** The edit to make in order to undo the last one, or null. `undid` tells that it was made. */
  peekUndo(): Edit | null {
    const last = this.done.at(-1);
    return last === undefined ? null : opposite(last);
  }
  undid(): void {
    const last = this.done.pop();
    if (last !== undefined) this.undone.push(last);
  }
  peekRedo(): Edit | null {
    return this.undone.at(-1) ?? null;
  }
  redid(): void {
    const last = this.undone.pop();
    if (last !== undefined) this.done.push(last);
  }
}

export interface Way {
  readonly as: EditAs;
  readonly title: string;
  readonly help: string;
}

/** The ways of writing in each space; the first is the default. */
export const WAYS: Readonly<Record<Space, readonly Way[]>> = {
  gva: [
    {
      as: "guest0",
      title: "guest CPL 0",
      help: "a store of the guest's kernel: TLB, shadow walk, exit, KVM",
    },
    { as: "guest3", title: "guest CPL 3", help: "a store of a guest's user program; U is checked" },
    { as: "emulator", title: "emulator", help: "through the hypervisor's emulator: KVM is told" },
  ],
  gpa: [
    { as: "emulator", title: "emulator", help: "through the hypervisor's emulator: KVM is told" },
    { as: "device", title: "device (DMA)", help: "KVM is not told, and the audit will say so" },
  ],
  hpa: [{ as: "raw", title: "raw", help: "bytes in host memory; may damage shadow pages on purpose" }],
};

/** The bits of a page fault's error code in words. Source: SDM 3A, "Page-Fault Exceptions", figure of the error code. */
export function errorBits(error: number): { name: string; on: boolean; words: string }[] {
  const bit = (n: number) => ((error >>> n) & 1) === 1;
  return [
    { name: "P", on: bit(0), words: bit(0) ? "a right is missing" : "not present" },
    { name: "W/R", on: bit(1), words: bit(1) ? "a write" : "a read" },
    { name: "U/S", on: bit(2), words: bit(2) ? "from CPL 3" : "from CPL 0-2" },
    { name: "RSVD", on: bit(3), words: bit(3) ? "a reserved bit is 1" : "no reserved bit" },
    { name: "I/D", on: bit(4), words: bit(4) ? "a fetch" : "not a fetch" },
  ];
}
