/**
 * Our decoder against iced-x86: validity, length, mnemonic and operands of seeded random byte strings in 32- and 16-bit code.
 * QUADRANT_DECODE_CASES asks for more cases, QUADRANT_SEED for others. Where the two differ, the manual decides: see DIFFERENCES.
 */
import iced from "iced-x86";
import { describe, expect, it } from "vitest";
import { decode } from "../../../core/x86/isa/decode.ts";
import { mnemonic } from "../../../core/x86/isa/disasm.ts";
import { INVALID, TOO_LONG } from "../../../core/x86/isa/table.ts";
import { random } from "../../random.ts";
import { operandsDiffer } from "./decoded-operands.ts";

const CASES = Number(process.env.QUADRANT_DECODE_CASES ?? 50_000);
const SEED = Number(process.env.QUADRANT_SEED ?? 0x1234_5678);

/** Names of theirs that mean the same instruction in ours. */
const SYNONYMS: Readonly<Record<string, string>> = {
  wait: "fwait",
  sal: "shl", // D0 /6: an alias of /4
  reservednop: "nop", // 0F 0D, 0F 18-1F: reserved for hints, executed as NOP
  prefetch: "nop", // 0F 0D /0 is AMD's
  prefetchit0: "nop", // 0F 18 /6, /7: hints in 64-bit mode alone, else NOP (SDM vol. 2, PREFETCHh)
  prefetchit1: "nop",
};

/** Where the two differ: the bytes behind the legacy prefixes begin with `opcode`, and `theirs` is their name. */
interface Difference {
  readonly opcode: RegExp;
  readonly theirs: RegExp;
  readonly why: string;
}
const DIFFERENCES: readonly Difference[] = [
  {
    opcode: /^0f01/,
    theirs:
      /^(clgi|stgi|vmrun|vmmcall|vmload|vmsave|skinit|invlpga|invlpgb|tlbsync|monitorx|mwaitx|clzero|mcommit|rdpru|psmash|pvalidate|rmp.*|vmgexit)$/,
    why: "AMD's; not in the SDM",
  },
  {
    opcode: /^0f01/,
    theirs:
      /^(smap|serialize|xsusldtrk|xresldtrk|setssbsy|saveprevssp|rstorssp|rdpkru|wrpkru|pconfig|hreset|uiret|testui|clui|stui|seamcall|seamret|seamops|tdcall|wrmsrns|rdmsrlist|wrmsrlist|loadall|pbndkb|erets|eretu|lkgs)$/,
    why: "after the P6 by decades; #UD without the feature",
  },
  {
    opcode: /^0f0[57e]/,
    theirs: /^(syscall|sysret|femms|loadall286|loadall)$/,
    why: "SYSCALL is invalid outside 64-bit mode (SDM vol. 2); FEMMS is AMD's",
  },
  { opcode: /^0f0f/, theirs: /./, why: "3DNow! is AMD's; not in the SDM" },
  { opcode: /^0f09/, theirs: /^wbnoinvd$/, why: "F3 is ignored without WBNOINVD (SDM vol. 2)" },
  { opcode: /^0f0d/, theirs: /^prefetchw$/, why: "/3 is AMD's name for it; the SDM has /1 alone" },
  { opcode: /^0f1e/, theirs: /^rdssp/, why: "NOP without shadow stacks (SDM vol. 2, RDSSP)" },
  { opcode: /^0f(2b|78|79)/, theirs: /^(movnts[sd]|extrq|insertq)$/, why: "SSE4a is AMD's; not in the SDM" },
  { opcode: /^0f1[ab]/, theirs: /^bnd/, why: "MPX: NOP without it (SDM vol. 1, 17.4)" },
  {
    opcode: /^0f38(d8|d[c-f]|f[8abc])/,
    theirs: /./,
    why: "Key Locker, ENQCMD, RAO-INT, user MSRs: #UD without the feature",
  },
  { opcode: /^0fa[67]/, theirs: /./, why: "VIA PadLock; not in the SDM" },
  { opcode: /^0fb[cd]/, theirs: /^(tzcnt|lzcnt)$/, why: "F3 is ignored without BMI1, LZCNT (SDM vol. 2)" },
  {
    opcode: /^0f(ae|c7)/,
    theirs: /^(ptwrite|tpause|umwait|umonitor|clrssbsy|incsspd|senduipi|rdpid|pcommit)$/,
    why: "#UD without the feature",
  },
  { opcode: /^(62|c4|c5)/, theirs: /./, why: "VEX and EVEX: one row each, without the instruction's name" },
  { opcode: /^8f/, theirs: /./, why: "XOP is AMD's; 8F /1-/7 is #UD (SDM vol. 2, table A-6)" },
  { opcode: /^d9d[89a-f]/, theirs: /^fstpnce$/, why: "reserved (SDM vol. 2, table A-10)" },
  {
    opcode: /^dbe[0145]/,
    theirs: /^f(neni|ndisi|nsetpm|rstpm)$/,
    why: "8087 and 287 leftovers, reserved (table A-14)",
  },
  {
    opcode: /^(dc[d]|ddc|de[d]|df[cd])/,
    theirs: /^f(com|comp|xch|freep|stp)$/,
    why: "undocumented aliases, reserved (tables A-16 to A-22)",
  },
];

/** Hexadecimal digits of what stands behind the legacy prefixes. */
function behindPrefixes(bytes: Uint8Array): string {
  const PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];
  let i = 0;
  while (i < bytes.length && PREFIXES.includes(bytes[i])) i++;
  return Buffer.from(bytes.slice(i)).toString("hex");
}

/** Random bytes, with opcode maps, prefixes and ModRM forms all likely. */
function sample(next: () => number): Uint8Array {
  const bytes = new Uint8Array(16);
  let n = 0;
  const PREFIXES = [0x66, 0x66, 0x67, 0xf3, 0xf2, 0xf0, 0x2e, 0x36, 0x64];
  while (n < 4 && next() % 4 === 0) bytes[n++] = PREFIXES[next() % PREFIXES.length];
  const map = next() % 8;
  if (map >= 3) bytes[n++] = 0x0f;
  if (map === 6) bytes[n++] = 0x38;
  if (map === 7) bytes[n++] = 0x3a;
  while (n < 16) bytes[n++] = next() & 0xff;
  return bytes;
}

describe.each([32, 16])("the decoder against iced-x86, %i-bit code", (bits) => {
  it(`agrees on ${CASES} random byte strings`, () => {
    const next = random(SEED + bits);
    const unexplained = new Map<string, string>();
    let valid = 0;
    let differing = 0;
    const compared = new Map<string, number>();
    for (let i = 0; i < CASES; i++) {
      const bytes = sample(next);
      const decoder = new iced.Decoder(bits, bytes, iced.DecoderOptions.None);
      const theirs = decoder.decode();
      const theirName = theirs.isInvalid ? "(bad)" : iced.Mnemonic[theirs.mnemonic].toLowerCase();
      const theirLength = theirs.length;
      const ours = decode(bytes, 0, 16, bits === 32);
      if (ours === null) throw new Error("15 bytes were available");
      const invalid = ours.row === INVALID || ours.row === TOO_LONG;
      const ourName = invalid ? "(bad)" : mnemonic(ours);
      const opcode = behindPrefixes(bytes);
      const same =
        (SYNONYMS[theirName] ?? theirName) === ourName &&
        (theirName === "(bad)" || theirLength === ours.length);
      let operands = "";
      if (theirName !== "(bad)" && same) {
        valid++;
        operands = operandsDiffer(theirs, ours, compared);
      }
      theirs.free();
      decoder.free();
      if (operands !== "") {
        const key = `${opcode.slice(0, opcode.startsWith("0f") ? 4 : 2)} ${ourName} ${ours.row.operands}: ${operands.split(" ")[0]}`;
        if (!unexplained.has(key))
          unexplained.set(key, `${key}: ${operands}, ${Buffer.from(bytes).toString("hex")}`);
      }
      if (same) continue;
      differing++;
      if (DIFFERENCES.some((d) => d.opcode.test(opcode) && d.theirs.test(theirName))) continue;
      const key = `${opcode.slice(0, opcode.startsWith("0f3") ? 6 : opcode.startsWith("0f") ? 4 : 2)} ours ${ourName} theirs ${theirName}`;
      if (!unexplained.has(key)) {
        const hex = Buffer.from(bytes).toString("hex");
        unexplained.set(key, `${key}: ${hex}, lengths ${ours.length} and ${theirLength}`);
      }
    }
    expect([...unexplained.values()].sort()).toEqual([]);
    expect(valid).toBeGreaterThan(CASES / 4);
    for (const kind of ["immediate", "branch", "memory", "register"])
      expect(compared.get(kind), kind).toBeGreaterThan(CASES / 100);
    expect(differing).toBeLessThan(CASES / 4);
  });
});

describe("the x87 escapes against iced-x86", () => {
  it("agree for every opcode and ModRM byte", () => {
    const unexplained: string[] = [];
    for (let opcode = 0xd8; opcode <= 0xdf; opcode++) {
      for (let modrm = 0; modrm < 256; modrm++) {
        const bytes = Uint8Array.from([opcode, modrm, 0x24, ...new Array(13).fill(0x11)]);
        const decoder = new iced.Decoder(32, bytes, iced.DecoderOptions.None);
        const theirs = decoder.decode();
        const name = theirs.isInvalid ? "(bad)" : iced.Mnemonic[theirs.mnemonic].toLowerCase();
        const length = theirs.length;
        theirs.free();
        decoder.free();
        const ours = decode(bytes, 0, 16, true);
        const ourName = ours === null || ours.row === INVALID ? "(bad)" : mnemonic(ours);
        if ((SYNONYMS[name] ?? name) === ourName && (name === "(bad)" || ours?.length === length)) continue;
        const hex = behindPrefixes(bytes);
        if (DIFFERENCES.some((d) => d.opcode.test(hex) && d.theirs.test(name))) continue;
        unexplained.push(`${hex.slice(0, 4)}: ours ${ourName} theirs ${name}`);
      }
    }
    expect(unexplained).toEqual([]);
  });
});
