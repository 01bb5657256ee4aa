/**
 * The target description: which registers there are, as XML that gdb asks for (gdb manual, "Target Descriptions"). The
 * core feature's registers and their order are gdb's own ("i386 Features"); the system's have a feature of ours.
 */
import { REGISTERS, type Register } from "./registers.ts";

type Bits = readonly (readonly [string, number, number?])[];

/** Names of bits, from the lowest (SDM vol. 1, 3.4.3; vol. 3, 2.5, 2.2.1). */
const FLAGS: Readonly<Record<string, Bits>> = {
  eflags: [
    ["CF", 0],
    ["", 1],
    ["PF", 2],
    ["AF", 4],
    ["ZF", 6],
    ["SF", 7],
    ["TF", 8],
    ["IF", 9],
    ["DF", 10],
    ["OF", 11],
    ["IOPL", 12, 13],
    ["NT", 14],
    ["RF", 16],
    ["VM", 17],
    ["AC", 18],
    ["VIF", 19],
    ["VIP", 20],
    ["ID", 21],
  ],
  cr0: [
    ["PE", 0],
    ["MP", 1],
    ["EM", 2],
    ["TS", 3],
    ["ET", 4],
    ["NE", 5],
    ["WP", 16],
    ["AM", 18],
    ["NW", 29],
    ["CD", 30],
    ["PG", 31],
  ],
  cr4: [
    ["VME", 0],
    ["PVI", 1],
    ["TSD", 2],
    ["DE", 3],
    ["PSE", 4],
    ["PAE", 5],
    ["MCE", 6],
    ["PGE", 7],
    ["PCE", 8],
    ["OSFXSR", 9],
  ],
  efer: [
    ["SCE", 0],
    ["LME", 8],
    ["LMA", 10],
    ["NXE", 11],
  ],
};

const typeOf = ({ type }: Register): string =>
  type in FLAGS ? `quadrant_${type}` : type === "x87" ? "i387_ext" : type;

function flags(name: string): string {
  const fields = FLAGS[name]!.map(
    ([bit, start, end]) => `<field name="${bit}" start="${start}" end="${end ?? start}"/>`,
  );
  return `<flags id="quadrant_${name}" size="4">${fields.join("")}</flags>`;
}

/** An inferior call saves and restores registers: the core's alone, or each call would write CR3. */
function register(one: Register): string {
  const group = one.group === "" ? "" : ` group="${one.group}"`;
  const save = one.feature === "core" ? "" : ` save-restore="no"`;
  return `<reg name="${one.name}" bitsize="${one.size * 8}" type="${typeOf(one)}"${group}${save}/>`;
}

function feature(name: string, types: readonly string[], which: Register["feature"]): string {
  const registers = REGISTERS.filter((one) => one.feature === which).map(register);
  return `<feature name="${name}">${[...types.map(flags), ...registers].join("\n")}</feature>`;
}

export const TARGET_XML = [
  `<?xml version="1.0"?>`,
  `<!DOCTYPE target SYSTEM "gdb-target.dtd">`,
  `<target version="1.0"><architecture>i386</architecture>`,
  feature("org.gnu.gdb.i386.core", ["eflags"], "core"),
  feature("org.quadrant.i386.system", ["cr0", "cr4", "efer"], "system"),
  `</target>`,
].join("\n");
