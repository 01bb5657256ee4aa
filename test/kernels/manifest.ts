/**
 * The list of kernels to boot, a JSON file that lies beside them: which file, what goes along with it, what is typed
 * and what has to be seen on the serial port, and after how many units of time at the latest.
 */
import { LOADED_KINDS } from "../../core/images/image.ts";

/** Something that has to be seen, and then what is typed. */
export interface Step {
  /** Text that the guest has to send, behind what the step before found. */
  readonly expect: string;
  /** Bytes for the serial port. */
  readonly send?: string;
}

export interface Kernel {
  /** Names the transcript: letters, digits, dots, dashes. */
  readonly name: string;
  /** Files, relative to the manifest. */
  readonly image: string;
  readonly kind: string;
  readonly machine: "bare" | "pc";
  readonly disks: readonly string[];
  readonly initrd?: string;
  /** A file and the text beside it. */
  readonly modules: readonly { readonly file: string; readonly text: string }[];
  readonly floppy?: string;
  readonly rom?: string;
  readonly append?: string;
  /** MiB of memory from 0, and from 4 GiB. */
  readonly memory: number;
  readonly memoryHigh: number;
  readonly steps: readonly Step[];
  /** Texts that must not be sent. */
  readonly never: readonly string[];
  /** Value that the guest has to write to the debug-exit port behind the last step; absent: it runs on and is left. */
  readonly exit?: number;
  /** Units of time after which it has failed. */
  readonly most: number;
  /** Policies to run it under; empty: all. */
  readonly policies: readonly string[];
}

const DEFAULTS = {
  kind: "auto",
  machine: "pc",
  disks: [],
  modules: [],
  memory: 64,
  memoryHigh: 0,
  steps: [],
  never: [],
  most: 2e9,
  policies: [],
} as const;

const isText = (x: unknown): boolean => typeof x === "string" && x.length > 0;
const isTexts = (x: unknown): boolean => Array.isArray(x) && x.every(isText);
const isWhole = (x: unknown): boolean => Number.isSafeInteger(x) && (x as number) >= 0;
const has = (x: unknown, known: Readonly<Record<string, (v: unknown) => boolean>>): boolean =>
  typeof x === "object" &&
  x !== null &&
  Object.entries(x).every(([key, value]) => known[key]?.(value) === true);

const FIELDS: Readonly<Record<string, { readonly is: (x: unknown) => boolean; readonly says: string }>> = {
  name: {
    is: (x) => typeof x === "string" && /^[A-Za-z0-9][A-Za-z0-9.-]*$/.test(x),
    says: "letters, digits, dots, dashes",
  },
  image: { is: isText, says: "a file" },
  kind: {
    is: (x) => x === "auto" || (LOADED_KINDS as readonly unknown[]).includes(x),
    says: `auto or one of ${LOADED_KINDS.join(", ")}`,
  },
  machine: { is: (x) => x === "bare" || x === "pc", says: "bare or pc" },
  disks: { is: (x) => isTexts(x) && (x as unknown[]).length <= 2, says: "up to two files" },
  initrd: { is: isText, says: "a file" },
  modules: {
    is: (x) =>
      Array.isArray(x) &&
      x.every(
        (m) => has(m, { file: isText, text: (t) => typeof t === "string" }) && "file" in m && "text" in m,
      ),
    says: "a list of { file, text }",
  },
  floppy: { is: isText, says: "a file" },
  rom: { is: isText, says: "a file" },
  append: { is: (x) => typeof x === "string", says: "a text" },
  memory: { is: (x) => isWhole(x) && (x as number) > 0, says: "a whole number of MiB" },
  memoryHigh: { is: isWhole, says: "a whole number of MiB" },
  steps: {
    is: (x) => Array.isArray(x) && x.every((s) => has(s, { expect: isText, send: isText }) && "expect" in s),
    says: "a list of { expect, send }, send where something is typed",
  },
  never: { is: isTexts, says: "a list of texts" },
  exit: { is: isWhole, says: "a whole number" },
  most: { is: (x) => isWhole(x) && (x as number) > 0, says: "a whole number of units" },
  policies: { is: isTexts, says: "a list of policies" },
};

/** Reads a manifest. @throws Error with a sentence that says which kernel and field is wrong, and what would be right */
export function readManifest(text: string): readonly Kernel[] {
  const whole: unknown = JSON.parse(text);
  const list = (whole as { kernels?: unknown } | null)?.kernels;
  if (!Array.isArray(list)) throw new Error('a manifest is an object with a list "kernels"');
  const seen = new Set<string>();
  return list.map((raw: unknown, i) => {
    if (typeof raw !== "object" || raw === null || Array.isArray(raw))
      throw new Error(`kernel ${i + 1} should be an object`);
    const kernel = { ...DEFAULTS, ...(raw as Partial<Kernel>) } as Kernel;
    const what = typeof kernel.name === "string" ? kernel.name : `kernel ${i + 1}`;
    for (const needed of ["name", "image"])
      if (!(needed in kernel)) throw new Error(`${what}: "${needed}" is missing`);
    for (const [key, value] of Object.entries(kernel)) {
      const field = FIELDS[key];
      if (field === undefined)
        throw new Error(`${what}: unknown field "${key}"; it knows ${Object.keys(FIELDS).join(", ")}`);
      if (!field.is(value))
        throw new Error(`${what}: "${key}" should be ${field.says}, not ${JSON.stringify(value)}`);
    }
    if (kernel.steps.length === 0 && kernel.exit === undefined)
      throw new Error(`${what}: nothing is expected of it; give "steps" or "exit"`);
    if (seen.has(kernel.name)) throw new Error(`${what}: there are two of this name`);
    seen.add(kernel.name);
    return kernel;
  });
}
