/**
 * The built-in guests against three independent statements: nasm (the same bytes), a model of what they compute, and
 * qemu (the same text on COM1).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { assembleGuest, binaryModule, GUEST_IDS, hasNasm } from "../../../build/guests.mjs";
import { decodeBase64 } from "../../../core/guests/decode.ts";
import { BINARY as FIRMWARE } from "../../../core/guests/firmware/binary.ts";
import {
  FIRMWARE_SYMBOLS,
  GUESTS,
  type GuestSymbol,
  PC_KERNEL_SYMBOLS,
  pcKernelDisk,
} from "../../../core/guests/index.ts";
import * as WARM_UP from "../../../core/guests/warm-up/binary.ts";
import { nonpaeLines, paeLines } from "./model.ts";
import { hasQemu, runInQemu } from "./qemu.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const expected = (id: string) => readFileSync(join(import.meta.dirname, "expected", `${id}.txt`), "latin1");

if (!hasNasm())
  console.warn("SKIPPED: nasm is not installed, the guests' bytes are not compared with their sources");
if (!hasQemu())
  console.warn("SKIPPED: qemu-system-x86_64 is not installed, the guests are not compared with it");

const symbol = ([name, address]: readonly [string, number]): GuestSymbol => ({ name, address });

/** What core has of an assembled program: the PC kernel is the begin of a disk. */
function builtin(id: string, length: number): { bytes: Uint8Array; symbols: readonly GuestSymbol[] } {
  if (id === "firmware") return { bytes: decodeBase64(FIRMWARE), symbols: FIRMWARE_SYMBOLS };
  if (id === "pc-kernel") return { bytes: pcKernelDisk().subarray(0, length), symbols: PC_KERNEL_SYMBOLS };
  if (id === "warm-up") return { bytes: decodeBase64(WARM_UP.BINARY), symbols: WARM_UP.SYMBOLS.map(symbol) };
  return GUESTS.find((g) => g.id === id)!;
}

describe.skipIf(!hasNasm())("nasm makes the committed bytes", () => {
  it.each(GUEST_IDS)("%s", (id) => {
    const assembled = assembleGuest(id);
    const { bytes, symbols } = builtin(id, assembled.bytes.length);
    expect(Buffer.from(bytes).equals(assembled.bytes)).toBe(true);
    expect(symbols).toEqual(assembled.symbols);
    const committed = readFileSync(join(root, "core", "guests", id, "binary.ts"), "utf8");
    expect(committed).toBe(binaryModule(id, assembled));
  });
});

describe("the expected texts say what the programs mean", () => {
  it.each([
    ["nonpae-kernel", nonpaeLines()],
    ["pae-kernel", paeLines()],
  ])("%s", (id, lines) => {
    const text = expected(id);
    for (const line of lines) expect(text).toContain(`${line}\n`);
    expect(text).not.toContain("WRONG");
    expect(text).toMatch(/^end: 0 wrong\n$/m);
  });

  it("quadrant: every page shows its own frame", () => {
    const text = expected("quadrant");
    expect(text).not.toContain("WRONG");
    expect(text.match(/shows .* ok$/gm)?.length).toBe(29);
    expect(text.match(/left {2}08048000 shows LEFT {2}frame 567[01] {2}ok/g)?.length).toBe(6);
    expect(text.match(/right 08248000 shows RIGHT frame 567[78] {2}ok/g)?.length).toBe(6);
    expect(text.endsWith("end: 0 wrong\n")).toBe(true);
  });
});

/**
 * Where qemu 7.2's emulation is not the processor of the manual, and what it prints there: it reads PDPTEs from memory
 * at every walk and checks none (SDM vol. 3, 4.4.1), and reports a reserved bit without the P bit (4.7).
 */
const QEMU_DIFFERS: Readonly<Record<string, readonly (readonly [RegExp, string])[]>> = {
  "pae-kernel": [
    [/(CR3 not yet loaded) {2}[0-9a-f]{8} {2}WRONG, should be ([0-9a-f]{8})/, "$1  $2  ok"],
    [/(reserved bit) {9}[0-9a-f]{8} {2}WRONG, should be ([0-9a-f]{8})/, "$1         $2  ok"],
    [/^(reserved: .*)000e0008 {2}WRONG, should be 000e0009$/gm, "$1000e0009  ok"],
    [/^end: 4 wrong$/m, "end: 0 wrong"],
  ],
};

describe.skipIf(!hasQemu())("qemu prints the expected texts", () => {
  it.each([
    ["quadrant", "128M"],
    ["nonpae-kernel", "16M"],
    // More than the PC's 3 GiB below 4 GiB, so that there is memory above.
    ["pae-kernel", "5G"],
  ])("%s", async (id, memory) => {
    let text = await runInQemu(GUESTS.find((g) => g.id === id)!.bytes, memory);
    for (const [wrong, right] of QEMU_DIFFERS[id] ?? []) text = text.replace(wrong, right);
    expect(text).toBe(expected(id));
  });
});
