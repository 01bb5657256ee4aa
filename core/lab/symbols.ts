/**
 * Names of places in the guest: the nearest symbol at or below a linear address.
 */

export interface GuestSymbol {
  readonly name: string;
  /** Linear address, unsigned. */
  readonly address: number;
}

/** Beyond this distance a symbol says nothing about an address. */
const FAR = 1 << 20;

export class Symbols {
  private readonly sorted: readonly GuestSymbol[];

  constructor(symbols: readonly GuestSymbol[]) {
    this.sorted = symbols.toSorted((a, b) => a.address - b.address);
  }

  /** Address of a symbol by name, or null. */
  find(name: string): number | null {
    return this.sorted.find((symbol) => symbol.name === name)?.address ?? null;
  }

  /** The name of the first symbol at exactly this address, or null. */
  at(address: number): string | null {
    const i = this.below(address);
    if (i < 0 || this.sorted[i]!.address !== address) return null;
    let first = i;
    while (first > 0 && this.sorted[first - 1]!.address === address) first--;
    return this.sorted[first]!.name;
  }

  /** Address of the last symbol below this one, or of the first above it; -1 when there is none. */
  addressBelow(address: number): number {
    return this.sorted[this.below(address - 1)]?.address ?? -1;
  }

  addressAbove(address: number): number {
    return this.sorted[this.below(address) + 1]?.address ?? -1;
  }

  /** "name", "name+0x12", or "" when nothing is near. */
  where(address: number): string {
    const i = this.below(address);
    if (i < 0) return "";
    const symbol = this.sorted[i]!;
    const offset = address - symbol.address;
    if (offset === 0) return this.at(address) ?? symbol.name;
    return offset < FAR ? `${symbol.name}+0x${offset.toString(16)}` : "";
  }

  /** Index of the last symbol at or below the address, or -1. */
  private below(address: number): number {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle]!.address <= address) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
