/**
 * Everything that reaches the machine from outside, as data: applied at an instruction boundary, stamped with the
 * machine's time, kept in a log. A snapshot plus the log behind it replays to the same bytes.
 */
import type { Plain } from "./codec.ts";
import type { DebugRegister } from "./register-edits.ts";
import type { HazardSetting, MachineSetup, TlbKind } from "./setup.ts";

export type EditSpace = "gva" | "gpa" | "hpa";
export type EditAs = "guest0" | "guest3" | "emulator" | "device" | "raw";

export interface Edit {
  readonly kind: "edit";
  readonly space: EditSpace;
  readonly as: EditAs;
  readonly address: number;
  /** 1, 2, 4 or 8 bytes: one cell, one store. */
  readonly size: number;
  /** Unsigned words; `high` counts for 8 bytes alone. */
  readonly low: number;
  readonly high: number;
}

export type ControlRegister = "cr0" | "cr3" | "cr4" | "efer";

export type Input =
  | { readonly kind: "serial"; readonly bytes: Uint8Array }
  /** Keys of a PC's keyboard: scan codes of set 1, with 0xe0 before the grey ones; bit 7: released. */
  | { readonly kind: "keys"; readonly codes: Uint8Array }
  | Edit
  /** A device writes memory: KVM is not told. */
  | { readonly kind: "dma"; readonly gpa: number; readonly bytes: Uint8Array }
  /** An edge on the external interrupt line: delivered once, when the guest takes it. */
  | { readonly kind: "interrupt"; readonly vector: number }
  /** A page fault that a refused edit showed is delivered after all. */
  | { readonly kind: "fault"; readonly gva: number; readonly error: number }
  | { readonly kind: "policy"; readonly policy: string }
  | { readonly kind: "hazard"; readonly hazard: string; readonly setting: HazardSetting }
  | { readonly kind: "tlb"; readonly tlb: TlbKind }
  /** Host levels and walk caches of nested paging. */
  | { readonly kind: "nested"; readonly levels: 3 | 4; readonly walkCache: number }
  /** A made-up access as an instruction of the guest would make it; a made-up store is an edit as the guest. */
  | {
      readonly kind: "access";
      readonly access: "read" | "fetch";
      readonly gva: number;
      /** 1, 2, 4 or 8 bytes. */
      readonly size: number;
      readonly user: boolean;
    }
  /** A made-up MOV to a control register, or WRMSR of EFER, at CPL 0. */
  | { readonly kind: "control"; readonly register: ControlRegister; readonly value: number }
  /** A debugger writes memory: as the emulator, so that KVM is told, in cells of the guest's table entries. */
  | { readonly kind: "poke"; readonly gpa: number; readonly bytes: Uint8Array }
  /** A debugger writes a register: no instruction does, and nothing follows from it but what the register says. */
  | { readonly kind: "register"; readonly register: DebugRegister; readonly bytes: Uint8Array }
  /** A made-up INVLPG at CPL 0. */
  | { readonly kind: "invlpg"; readonly gva: number }
  | { readonly kind: "unimplemented"; readonly unimplemented: MachineSetup["unimplemented"] };

/**
 * The boundary at which an input was applied: after `time` units, `deliveries` events delivered and `exits` handled.
 * Time alone would not do: deliveries and exits that retire nothing lie between two units.
 */
export interface Stamp {
  readonly time: number;
  readonly deliveries: number;
  readonly exits: number;
}

export interface LoggedInput {
  readonly at: Stamp;
  readonly input: Input;
}

export function sameStamp(a: Stamp, b: Stamp): boolean {
  return a.time === b.time && a.deliveries === b.deliveries && a.exits === b.exits;
}

export function logToPlain(log: readonly LoggedInput[]): Plain {
  return log.map(({ at, input }) => ({ at: { ...at }, input: { ...input } }));
}

/** Trusts the shape: the file it comes from was checked against its checksum. */
export function logFromPlain(plain: Plain): LoggedInput[] {
  if (!Array.isArray(plain)) throw new Error("the log of inputs is not a list");
  return plain as unknown as LoggedInput[];
}
