/**
 * The MP tables as a kernel finds them that a boot loader has started: the firmware seals them in its power-on test (the
 * processor's signature, the sums), which did not run. MP specification 1.4, 4.1 and 4.2.
 */
import { cpuidLeaf, FEATURE_APIC } from "../x86/cpuid.ts";

const PARAGRAPH = 16;
const POINTER_SUM = 10;
const TABLE_SUM = 7;
const HEADER = 44;
/** In a processor's entry, the first one of the table. */
const SIGNATURE = HEADER + 4;
const FEATURES = HEADER + 8;

const isText = (bytes: Uint8Array, at: number, text: string): boolean =>
  [...text].every((c, i) => bytes[at + i] === c.charCodeAt(0));

function seal(bytes: Uint8Array, at: number, length: number, sumAt: number): void {
  bytes[at + sumAt] = 0;
  let sum = 0;
  for (let i = 0; i < length; i++) sum += bytes[at + i]!;
  bytes[at + sumAt] = -sum & 0xff;
}

/**
 * Seals the tables in a copy of the firmware's last part; a ROM without them stays as it is.
 * @param bytes the copy, changed in place
 * @param linear where it lies
 * @returns whether there are tables
 */
export function sealMpTables(bytes: Uint8Array, linear: number): boolean {
  for (let at = 0; at + PARAGRAPH <= bytes.length; at += PARAGRAPH) {
    if (!isText(bytes, at, "_MP_") || bytes[at + 8] !== 1) continue;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const table = view.getUint32(at + 4, true) - linear;
    if (table < 0 || table + HEADER + 20 > bytes.length || !isText(bytes, table, "PCMP")) continue;
    const length = view.getUint16(table + 4, true);
    if (length < HEADER + 20 || table + length > bytes.length || bytes[table + HEADER] !== 0) continue;
    const [signature, , , features] = cpuidLeaf(1);
    view.setInt32(table + SIGNATURE, signature, true);
    view.setInt32(table + FEATURES, features | FEATURE_APIC, true);
    seal(bytes, table, length, TABLE_SUM);
    seal(bytes, at, PARAGRAPH, POINTER_SUM);
    return true;
  }
  return false;
}
