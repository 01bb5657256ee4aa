/**
 * The words behind `quadrant` on the command line, turned into a request or refused in a sentence that says what
 * would be right. Pure: reads no files and knows no guests.
 */
import { TRACE_FORMATS, type TraceFormat } from "../../core/kvm/index.ts";
import {
  AuditMode,
  DEFAULT_CONFIG,
  ImageKind,
  MachineKind,
  TlbKind,
  TripleFault,
  WALK_CACHE_MOST,
} from "../../core/lab/protocol/index.ts";

/** A file that goes along with a multiboot kernel, and the text behind its first comma. */
export interface ModuleArgument {
  readonly file: string;
  readonly commandLine: string;
}

/** Which image, on which machine, with what. Files are by their paths. */
export interface ImageArguments {
  readonly image: string;
  readonly kind: ImageKind;
  /** Null: what the image's kind is for. */
  readonly machine: MachineKind | null;
  /** Load address of a flat image; null: the image's own, or 0x100000. */
  readonly address: number | null;
  readonly disks: readonly string[];
  readonly floppy: string | null;
  readonly rom: string | null;
  readonly initrd: string | null;
  readonly modules: readonly ModuleArgument[];
  readonly append: string;
}

export interface RunArguments extends ImageArguments {
  readonly command: "run";
  /** Where the drives' contents go at the end, in the drives' order. */
  readonly saveDisks: readonly string[];
  /** Where the floppy's content goes at the end. */
  readonly saveFloppy: string | null;
  readonly policy: string;
  /** "guarded" or "as-it-was" for all hazards, then single ones over it. */
  readonly allHazards: HazardWord;
  readonly hazards: Readonly<Record<string, HazardWord>>;
  readonly tlb: TlbKind;
  /** Bytes; null: what the guest asks for, or the default. */
  readonly memory: number | null;
  readonly memoryHigh: number | null;
  readonly maxInstructions: number;
  /** Files, "-" for standard output, null for not at all. */
  readonly serial: string | null;
  readonly json: string | null;
  readonly memoryDump: string | null;
  /** Trace as text: a file for each format asked for. */
  readonly traceExports: readonly { readonly format: TraceFormat; readonly file: string }[];
  readonly audit: AuditMode;
  readonly unimplemented: "stop" | "ud";
  /** Under nested paging: host levels, and entries of each page-walk cache. */
  readonly nestedLevels: 3 | 4;
  readonly walkCache: number;
  readonly tripleFault: TripleFault;
}

export type HazardWord = "guarded" | "as-it-was";

export type Arguments =
  | RunArguments
  | { readonly command: "list" }
  | { readonly command: "help" }
  | { readonly command: "version" };

export type Parsed =
  | { readonly ok: true; readonly arguments: Arguments }
  | { readonly ok: false; readonly error: string };

export const HELP = `quadrant: a laboratory for shadow paging

  quadrant run IMAGE [options]   run a guest to its stop and say what happened
  quadrant gdb IMAGE [--port N] [options]
                                 hold a guest at its first instruction for gdb to attach
  quadrant experiment [NAME] [options]
                                 measure something and write a table and pictures; without NAME: list them
  quadrant scenario FILE|NAME [options]
                                 run a scenario and say which predictions came true
  quadrant compare IMAGE|SCENARIO --policies A,B [options]
                                 run two machines in lock-step to their first difference
  quadrant list                  list guests, scenarios, experiments, policies and hazards
  quadrant --help                show this
  quadrant --version             show the version

IMAGE is a file, or the name of a built-in guest. Options of run:

  --kind KIND                      what the file is: ${ImageKind.options.join(", ")}
                                   (auto: look at its bytes)
  --machine bare|pc                bare: memory without a hole and a serial port (for flat, elf and multiboot);
                                   pc: a PC with firmware and devices (for linux, boot-sector, disk and rom)
  --address ADDRESS                where a flat image is loaded and started (0x100000)
  --append TEXT                    command line of a Linux or multiboot kernel
  --initrd FILE                    initial root file system of Linux; first module of a multiboot kernel
  --module FILE[,TEXT]             a module of a multiboot kernel and its text; several in their order
  --disk FILE                      a drive of the pc, behind IMAGE if that is a disk; at most two drives
  --floppy FILE                    what is in the pc's floppy drive; it is booted from before a disk
  --rom FILE                       a ROM in place of the pc's own firmware: 64, 128 or 256 KiB
  --save-disk FILE                 write the first drive as the guest left it, at the end; again for the second.
                                   Without it nothing that the guest writes to a disk reaches a file
  --save-floppy FILE               the same for what is in the floppy drive
  --policy NAME                    memory virtualisation (${DEFAULT_CONFIG.policy}; none: the bare machine)
  --nested-levels 3|4              with --policy nested: levels of the host tables (4)
  --walk-cache N                   with --policy nested: entries of each page-walk cache, 0 ... 64 (0: none)
  --hazards SETTING                guarded, as-it-was, or NAME=guarded|as-it-was, several with commas
  --tlb vmx|svm                    whether exits flush the TLB (${DEFAULT_CONFIG.tlb})
  --memory SIZE                    memory from 0: 4M ... 2032M (64M; for Linux 256M)
  --memory-high SIZE               memory from 4 GiB: 0 ... 2032M
  --max-instructions N             stop after N units (default: no limit)
  --serial FILE|-                  write what the guest sends to its serial port; - is standard output
  --json FILE|-                    write the run's report
  --memory-dump FILE               write guest-physical memory, byte i at offset i, holes sparse
  --trace-export FORMAT=FILE       write KVM's tracepoints as text: ${TRACE_FORMATS.join(", ")}; several with commas
  --audit every|full|end|off       check the invariants of shadow paging (${DEFAULT_CONFIG.audit}): every: at each boundary what was
                                   touched, naming the instruction and event that broke one; full: at each boundary
                                   everything (slow); end: everything, once
  --unimplemented stop|ud          an instruction that is missing here stops the machine, or raises #UD
  --triple-fault stop|reset        a triple fault ends the run (stop), or resets the processor

Options of scenario: --policy, --hazards, --tlb, --json as above, and

  --as NAME                        hold the predictions of this policy against the run

Options of compare: --hazards, --tlb, --memory, --memory-high, --max-instructions, --json as above, and

  --policies A,B                   the two policies
  --hazards-b SETTING              hazards of the second machine, as --hazards (default: the same)
  --nested-levels N[,M]            under nested: host levels of both machines, or of each
  --walk-cache N[,M]               under nested: entries of the page-walk caches of both machines, or of each
  --until guest|shadow             stop where the guest sees a difference, or where the shadows (of two machines under
                                   nested: the host tables) differ (guest)
  --accessed-dirty                 A and D bits of page tables count as well

Exit codes: 0 the guest ran to its stop, the predictions came true, no difference; 1 an invariant was violated, a
finding, a prediction failed, a difference; 2 bad arguments, image or scenario; 3 a bug of Quadrant itself.
`;

const COMMANDS = ["run", "gdb", "scenario", "compare", "experiment", "list", "help", "version"];
const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** Bytes from "64M", "1G", "4096K", "65536" or "0x10000"; null when it is none of these. */
export function parseSize(text: string): number | null {
  const found = /^(0x[0-9a-f]+|\d+)\s*([kmg]?)(?:i?b)?$/i.exec(text);
  if (found === null) return null;
  const value = Number(found[1]) * UNITS[found[2]!.toUpperCase()]!;
  return Number.isSafeInteger(value) ? value : null;
}

/** A whole number, decimal or 0x…, with _ allowed between digits; null when it is none. */
export function parseNumber(text: string): number | null {
  if (!/^(0x[0-9a-f][0-9a-f_]*|\d[\d_]*)$/i.test(text)) return null;
  const value = Number(text.replaceAll("_", ""));
  return Number.isSafeInteger(value) ? value : null;
}

export class Refused extends Error {}

/** @throws Refused */
export const nestedLevels = (value: string): 3 | 4 =>
  oneOf("--nested-levels", value, ["3", "4"]) === "3" ? 3 : 4;

/** @throws Refused */
export function walkCacheEntries(value: string): number {
  const entries = parseNumber(value);
  if (entries !== null && entries <= WALK_CACHE_MOST) return entries;
  throw new Refused(`--walk-cache takes a number of entries from 0 to ${WALK_CACHE_MOST}, not "${value}"`);
}

type Option = (value: string, into: Mutable<RunArguments>) => void;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function oneOf<T extends string>(option: string, value: string, words: readonly T[]): T {
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  throw new Refused(`${option} takes ${list(words)}, not "${value}"`);
}

const list = (words: readonly string[]): string =>
  words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;

export function size(option: string, value: string): number {
  const bytes = parseSize(value);
  if (bytes === null) throw new Refused(`${option} takes a size such as 64M or 1G, not "${value}"`);
  return bytes;
}

type ImageOption = (value: string, into: Mutable<ImageArguments>) => void;

/** Options that say which image and machine: of `run`, and of whatever else starts an image. */
export const IMAGE_OPTIONS: Readonly<Record<string, ImageOption>> = {
  "--kind": (value, into) => {
    into.kind = oneOf("--kind", value, ImageKind.options);
  },
  "--machine": (value, into) => {
    into.machine = oneOf("--machine", value, MachineKind.options);
  },
  "--address": (value, into) => {
    const address = parseNumber(value);
    if (address === null || address > 0xffff_ffff) {
      throw new Refused(`--address takes a 32-bit address such as 0x100000, not "${value}"`);
    }
    into.address = address;
  },
  "--append": (value, into) => {
    into.append = value;
  },
  "--initrd": (value, into) => {
    into.initrd = value;
  },
  "--module": (value, into) => {
    const comma = value.indexOf(",");
    const file = comma < 0 ? value : value.slice(0, comma);
    if (file === "") throw new Refused(`--module takes FILE or FILE,TEXT, not "${value}"`);
    into.modules = [...into.modules, { file, commandLine: comma < 0 ? "" : value.slice(comma + 1) }];
  },
  "--disk": (value, into) => {
    into.disks = [...into.disks, value];
  },
  "--floppy": (value, into) => {
    into.floppy = value;
  },
  "--rom": (value, into) => {
    into.rom = value;
  },
};

/** What no option was said for. */
export const NO_IMAGE: ImageArguments = {
  image: "",
  kind: "auto",
  machine: null,
  address: null,
  disks: [],
  floppy: null,
  rom: null,
  initrd: null,
  modules: [],
  append: "",
};

/** Options that mean something each time they are given. */
export const REPEATED: ReadonlySet<string> = new Set(["--disk", "--module", "--save-disk"]);

const OPTIONS: Readonly<Record<string, Option>> = {
  ...IMAGE_OPTIONS,
  "--save-disk": (value, into) => {
    into.saveDisks = [...into.saveDisks, fileOnly("--save-disk", value)];
  },
  "--save-floppy": (value, into) => {
    into.saveFloppy = fileOnly("--save-floppy", value);
  },
  "--policy": (value, into) => {
    into.policy = value;
  },
  "--nested-levels": (value, into) => {
    into.nestedLevels = nestedLevels(value);
  },
  "--walk-cache": (value, into) => {
    into.walkCache = walkCacheEntries(value);
  },
  "--hazards": parseHazards,
  "--tlb": (value, into) => {
    into.tlb = oneOf("--tlb", value, TlbKind.options);
  },
  "--memory": (value, into) => {
    into.memory = size("--memory", value);
  },
  "--memory-high": (value, into) => {
    into.memoryHigh = size("--memory-high", value);
  },
  "--max-instructions": (value, into) => {
    const count = parseNumber(value);
    if (count === null) throw new Refused(`--max-instructions takes a whole number, not "${value}"`);
    into.maxInstructions = count;
  },
  "--serial": (value, into) => {
    into.serial = value;
  },
  "--json": (value, into) => {
    into.json = value;
  },
  "--memory-dump": (value, into) => {
    into.memoryDump = fileOnly("--memory-dump", value);
  },
  "--trace-export": (value, into) => {
    into.traceExports = value.split(",").map((part) => {
      const equals = part.indexOf("=");
      const format = TRACE_FORMATS.find((known) => known === part.slice(0, equals));
      if (format === undefined || equals === part.length - 1) {
        throw new Refused(
          `--trace-export takes FORMAT=FILE with FORMAT one of ${list(TRACE_FORMATS)}, not "${part}"`,
        );
      }
      return { format, file: part.slice(equals + 1) };
    });
  },
  "--audit": (value, into) => {
    into.audit = oneOf("--audit", value, AuditMode.options);
  },
  "--unimplemented": (value, into) => {
    into.unimplemented = oneOf("--unimplemented", value, ["stop", "ud"]);
  },
  "--triple-fault": (value, into) => {
    into.tripleFault = oneOf("--triple-fault", value, TripleFault.options);
  },
};

/** A file that is written with holes. */
function fileOnly(option: string, value: string): string {
  if (value !== "-") return value;
  throw new Refused(`${option} takes a file: a sparse one cannot go to standard output`);
}

export function parseHazards(
  value: string,
  into: { allHazards: HazardWord; hazards: Readonly<Record<string, HazardWord>> },
): void {
  const single: Record<string, HazardWord> = { ...into.hazards };
  for (const part of value.split(",")) {
    if (part === "guarded" || part === "as-it-was") {
      into.allHazards = part;
      continue;
    }
    const found = /^([^=]+)=(guarded|as-it-was)$/.exec(part);
    if (found === null) {
      throw new Refused(
        `--hazards takes guarded, as-it-was, or NAME=guarded and NAME=as-it-was with commas between, not "${part}"`,
      );
    }
    single[found[1]!] = found[2] as HazardWord;
  }
  into.hazards = single;
}

/** The nearest of `words` when it is likely a slip of the fingers, as ` (did you mean …?)`, else "". */
export function suggestion(word: string, words: readonly string[]): string {
  const near = words.find((w) => distance(w, word) <= 2);
  return near === undefined ? "; see quadrant --help" : `; did you mean ${near}? See quadrant --help`;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}

/** @param argv the words behind the program's name */
export function parseArguments(argv: readonly string[]): Parsed {
  try {
    return { ok: true, arguments: parse(argv) };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, error: error.message };
    throw error;
  }
}

function parse(argv: readonly string[]): Arguments {
  if (argv.length === 0)
    throw new Refused(
      "say what to do: quadrant run IMAGE, quadrant scenario NAME, quadrant list, or quadrant --help",
    );
  if (argv.includes("--help") || argv.includes("-h") || argv[0] === "help") return { command: "help" };
  if (argv[0] === "--version" || argv[0] === "-V" || argv[0] === "version") return { command: "version" };
  if (argv[0] === "list") {
    if (argv.length > 1) throw new Refused(`list takes nothing, but there is "${argv[1]}"`);
    return { command: "list" };
  }
  if (argv[0] !== "run") {
    throw new Refused(`there is no command "${argv[0]}"${suggestion(argv[0]!, COMMANDS)}`);
  }
  return parseRun(argv.slice(1));
}

function parseRun(words: readonly string[]): RunArguments {
  const into: Mutable<RunArguments> = {
    command: "run",
    ...NO_IMAGE,
    saveDisks: [],
    saveFloppy: null,
    policy: DEFAULT_CONFIG.policy,
    allHazards: "guarded",
    hazards: {},
    tlb: DEFAULT_CONFIG.tlb,
    memory: null,
    memoryHigh: null,
    maxInstructions: Number.MAX_SAFE_INTEGER,
    serial: null,
    json: null,
    memoryDump: null,
    traceExports: [],
    audit: DEFAULT_CONFIG.audit,
    unimplemented: DEFAULT_CONFIG.unimplemented,
    nestedLevels: 4,
    walkCache: 0,
    tripleFault: "stop",
  };
  const seen = new Set<string>();
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (!word.startsWith("-") || word === "-") {
      if (into.image !== "") throw new Refused(`one image at a time: "${into.image}" and then "${word}"`);
      into.image = word;
      continue;
    }
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals);
    const option = OPTIONS[name];
    if (option === undefined) {
      throw new Refused(`there is no option ${name}${suggestion(name, Object.keys(OPTIONS))}`);
    }
    if (seen.has(name) && !REPEATED.has(name)) throw new Refused(`${name} is given twice`);
    seen.add(name);
    const value = equals < 0 ? words[++i] : word.slice(equals + 1);
    // An empty command line is one; an empty file name is none.
    if (value === undefined || (value === "" && name !== "--append"))
      throw new Refused(`${name} needs a value behind it`);
    option(value, into);
  }
  if (into.image === "")
    throw new Refused("say which image to run: a file, or a built-in guest of quadrant list");
  const toOutput = [into.serial, into.json].filter((file) => file === "-").length;
  if (toOutput > 1) throw new Refused("only one of --serial and --json can go to standard output");
  return into;
}
