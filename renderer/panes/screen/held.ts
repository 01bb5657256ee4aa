/**
 * The keys that a person holds down while the guest has the keyboard: what each press and release sends, and when the
 * keyboard is given back. Left Ctrl and left Alt together, let go with no other key in between, give it back (AltGr of
 * some systems is left Ctrl and right Alt, and stays a key).
 */
import { breakCode, makeCode } from "./scan-codes.ts";

const LEAVING = ["ControlLeft", "AltLeft"];

export class HeldKeys {
  readonly #held = new Set<string>();
  #leaving = false;

  /** A key went down (again, when it repeats). Answers its scan codes; null: a PC has no such key. */
  down(code: string): readonly number[] | null {
    const codes = makeCode(code);
    if (codes === null) return null;
    this.#held.add(code);
    if (LEAVING.includes(code))
      this.#leaving = LEAVING.every((key) => this.#held.has(key)) && this.#held.size === 2;
    else this.#leaving = false;
    return codes;
  }

  /** A key went up. `leave`: it was the wish to have the keyboard back. */
  up(code: string): { readonly codes: readonly number[]; readonly leave: boolean } {
    const leave = this.#leaving && LEAVING.includes(code);
    if (leave) return { codes: this.release(), leave };
    // The key went down elsewhere: the guest knows nothing of it. (Print Screen is only ever seen going up.)
    if (code === "PrintScreen" && !this.#held.has(code))
      return { codes: [...(makeCode(code) ?? []), ...(breakCode(code) ?? [])], leave };
    if (!this.#held.delete(code)) return { codes: [], leave };
    return { codes: breakCode(code) ?? [], leave };
  }

  /** Everything is let go, the last pressed first. */
  release(): readonly number[] {
    const codes = [...this.#held].toReversed().flatMap((code) => breakCode(code) ?? []);
    this.#held.clear();
    this.#leaving = false;
    return codes;
  }
}
