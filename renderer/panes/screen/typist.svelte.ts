/**
 * Types a text on the guest's keyboard: a stroke at a time, and none while the guest has not read those before it, because
 * a key for which the keyboard's buffer has no room is lost.
 */

/** Bytes that may wait in the keyboard when the next stroke is sent. A stroke with Shift is six at most. */
const ROOM = 8;
const BETWEEN_MS = 15;
const PATIENT_MS = 60;

export interface Hands {
  /** Sends scan codes (none: only asks); answers how many bytes wait in the keyboard. Rejects with a sentence. */
  readonly send: (codes: Uint8Array<ArrayBuffer>) => Promise<number>;
  readonly rest: (milliseconds: number) => Promise<void>;
}

export class Typist {
  /** Strokes of the text, and how many of them were sent. */
  total = $state(0);
  done = $state(0);
  /** The guest has not read for a while: it is paused, or does not listen. */
  stuck = $state(false);
  readonly #hands: Hands;
  #strokes: (readonly number[])[] = [];
  #busy = false;

  constructor(hands: Hands) {
    this.#hands = hands;
  }

  get typing(): boolean {
    return this.done < this.total;
  }

  /** Types these behind what is being typed. Resolves when nothing is left; rejects when the machine refuses. */
  async type(strokes: readonly (readonly number[])[]): Promise<void> {
    this.#strokes.push(...strokes);
    this.total += strokes.length;
    if (this.#busy) return;
    this.#busy = true;
    try {
      let waiting = 0;
      let patience = 0;
      while (this.#strokes.length > 0) {
        const free = waiting <= ROOM;
        const codes = free ? this.#strokes.shift()! : [];
        patience = free ? 0 : patience + 1;
        this.stuck = patience > 4;
        waiting = await this.#hands.send(Uint8Array.from(codes));
        if (free) this.done++;
        await this.#hands.rest(waiting <= ROOM ? BETWEEN_MS : PATIENT_MS);
      }
    } finally {
      this.#busy = false;
      this.stop();
    }
  }

  /** Leaves the rest untyped. */
  stop(): void {
    this.#strokes = [];
    this.total = 0;
    this.done = 0;
    this.stuck = false;
  }
}
