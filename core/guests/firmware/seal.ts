/**
 * Makes the sums of the firmware's MP and ACPI tables right: kernels that are started without the power-on test find them in
 * the ROM as they are (MP specification 1.4, chapter 4; ACPI 1.0b, 5.2).
 */

/** Table: its first byte's label, its end's, and where in it the byte lies that makes the sum 0. */
const TABLES = [
  ["mp_pointer", 16, 10],
  ["mp_table", "mp_table_end", 7],
  ["acpi_pointer", "acpi_pointer_end", 8],
  ["rsdt", "rsdt_end", 9],
  ["fadt", "fadt_end", 9],
  ["madt", "madt_end", 9],
  ["dsdt", "dsdt_end", 9],
] as const;

/**
 * @param rom the firmware's 64 KiB; changed in place
 * @param symbols labels and their offsets in the ROM
 * @throws Error when a label is missing: the binary is not of this source
 */
export function sealTables(rom: Uint8Array, symbols: readonly (readonly [string, number])[]): void {
  const offsets = new Map(symbols);
  const offset = (label: string): number => {
    const at = offsets.get(label);
    if (at === undefined) throw new Error(`the firmware has no label ${label}`);
    return at;
  };
  for (const [begin, end, sum] of TABLES) {
    const from = offset(begin);
    const table = rom.subarray(from, typeof end === "number" ? from + end : offset(end));
    table[sum] = 0;
    table[sum] = -table.reduce((total, byte) => total + byte, 0) & 0xff;
  }
}
