/**
 * A page-walk cache: fully associative, the entry used longest ago makes room. It keeps what the upper levels of a
 * walk said (the frame of the lowest table and the rights above it), so that a walk can begin at that table
 * (SDM vol. 3, 4.10.3 and 28.4.1; AMD vol. 2, 5.5). Nothing that is not present is ever kept.
 */

export interface WalkCacheState {
  keys: Int32Array;
  frames: Int32Array;
  rights: Int32Array;
  stamps: Float64Array;
  clock: number;
}

export class WalkCache {
  readonly size: number;
  private readonly keys: Int32Array;
  private readonly frames: Int32Array;
  private readonly rightsOf: Int32Array;
  private readonly stamps: Float64Array;
  private clock = 0;
  /** Of the entry that `find` found: the table's host frame, and the rights above it. */
  frame = 0;
  rights = 0;

  /** @param size entries; 0 makes a cache that never holds anything */
  constructor(size: number) {
    this.size = size;
    this.keys = new Int32Array(size).fill(-1);
    this.frames = new Int32Array(size);
    this.rightsOf = new Int32Array(size);
    this.stamps = new Float64Array(size);
  }

  /** @param key what the address has above the lowest table's index; not negative */
  find(key: number): boolean {
    for (let i = 0; i < this.size; i++) {
      if (this.keys[i] !== key) continue;
      this.stamps[i] = ++this.clock;
      this.frame = this.frames[i]!;
      this.rights = this.rightsOf[i]!;
      return true;
    }
    return false;
  }

  /** As `find`, without counting as a use. */
  peek(key: number): boolean {
    return this.keys.includes(key);
  }

  put(key: number, frame: number, rights: number): void {
    if (this.size === 0) return;
    let place = 0;
    for (let i = 0; i < this.size; i++) {
      if (this.keys[i] === key) {
        place = i;
        break;
      }
      if (this.stamps[i]! < this.stamps[place]!) place = i;
    }
    this.keys[place] = key;
    this.frames[place] = frame;
    this.rightsOf[place] = rights;
    this.stamps[place] = ++this.clock;
  }

  drop(key: number): void {
    for (let i = 0; i < this.size; i++) {
      if (this.keys[i] !== key) continue;
      this.keys[i] = -1;
      this.stamps[i] = 0;
    }
  }

  flush(): void {
    this.keys.fill(-1);
    this.stamps.fill(0);
  }

  /** Valid entries. */
  get used(): number {
    let n = 0;
    for (const key of this.keys) if (key >= 0) n++;
    return n;
  }

  save(): WalkCacheState {
    return {
      keys: this.keys.slice(),
      frames: this.frames.slice(),
      rights: this.rightsOf.slice(),
      stamps: this.stamps.slice(),
      clock: this.clock,
    };
  }

  /** The state must be of a cache of this size. */
  load(state: WalkCacheState): void {
    this.keys.set(state.keys);
    this.frames.set(state.frames);
    this.rightsOf.set(state.rights);
    this.stamps.set(state.stamps);
    this.clock = state.clock;
  }
}
