/**
 * The machine that a scenario sets up: memory, image, page tables, registers, policy, hazards.
 */
import { findGuest, GUESTS } from "../guests/index.ts";
import { type LoadedImage, openImage, placeGdt, type StartControls, ZERO_REGS } from "../images/index.ts";
import { Machine } from "../machine/machine.ts";
import type { HazardSetting, MachineSetup, TlbKind } from "../machine/setup.ts";
import { Trace } from "../trace/trace.ts";
import { CR0_ET, CR0_PE, CR0_PG, CR0_WP, CR4_PAE, CR4_PGE, CR4_PSE, EFER_NXE } from "../x86/system.ts";
import type { Setup } from "./document.ts";
import { ScenarioError } from "./error.ts";
import type { Scenario } from "./parse.ts";
import { buildTables } from "./tables.ts";
import { fromBase64, hex, toBytes, toNumber } from "./values.ts";

const MIB = 2 ** 20;
const PAGE = 4096;
const LEAST = 4 * MIB;
const MOST = 2032 * MIB;
const TRACE_EVENTS = 1 << 18;

export interface MachineOptions {
  /** In place of the scenario's own. */
  readonly policy?: string | undefined;
  readonly hazards?: Readonly<Record<string, HazardSetting>> | undefined;
  readonly tlb?: TlbKind | undefined;
  readonly nestedLevels?: 3 | 4 | undefined;
  readonly walkCache?: number | undefined;
  readonly audit?: MachineSetup["audit"] | undefined;
  readonly trace?: Trace | undefined;
  /** Reads a file that the scenario names, or says in a thrown sentence why not. Absent: it may name none. */
  readonly readFile?: ((path: string) => Uint8Array) | undefined;
}

export interface Prepared {
  readonly machine: Machine;
  /** Linear addresses by name. */
  readonly symbols: ReadonlyMap<string, number>;
}

/** The policy that a scenario runs under when none is asked for. */
export function ownPolicy(scenario: Scenario): string {
  const { machine, policies } = scenario.document;
  return machine.policy ?? policies?.[0] ?? "B";
}

/** Makes the machine. @throws ScenarioError with what is wrong and where */
export function prepareMachine(scenario: Scenario, options: MachineOptions = {}): Prepared {
  const { machine: setup } = scenario.document;
  const within = (key: string) => scenario.where(["machine", key]);
  const guest = guestOf(setup, within);
  const memory = setup.memory === undefined ? (guest?.memory ?? 16 * MIB) : toNumber(setup.memory);
  const memoryHigh = setup.memoryHigh === undefined ? (guest?.memoryHigh ?? 0) : toNumber(setup.memoryHigh);
  if (memory % PAGE !== 0 || memoryHigh % PAGE !== 0 || memory < LEAST || memory + memoryHigh > MOST) {
    throw new ScenarioError(
      `${within("memory")}: memory is a multiple of 4096 from 4 MiB; with memoryHigh it is at most 2032 MiB`,
    );
  }
  const config: MachineSetup = {
    memory,
    memoryHigh,
    policy: options.policy ?? ownPolicy(scenario),
    tlb: options.tlb ?? setup.tlb ?? "vmx",
    hazards: { ...definite(setup.hazards), ...options.hazards },
    nestedLevels: options.nestedLevels ?? setup.nestedLevels,
    walkCache: options.walkCache ?? setup.walkCache,
    audit: options.audit ?? "end",
    findings: "mark",
    unimplemented: "stop",
  };
  const start = startOf(scenario, guest?.bytes ?? null, config, options);
  try {
    const machine = Machine.boot(config, start, options.trace ?? new Trace(TRACE_EVENTS));
    const symbols = new Map(start.symbols.map(({ name, address }) => [name, address]));
    for (const { name, address } of guest?.symbols ?? []) symbols.set(name, address);
    return { machine, symbols };
  } catch (error) {
    throw new ScenarioError(
      `${scenario.where(["machine"])}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function definite(hazards: Setup["hazards"]): Record<string, HazardSetting> {
  const known: Record<string, HazardSetting> = {};
  for (const [id, setting] of Object.entries(hazards ?? {})) if (setting !== undefined) known[id] = setting;
  return known;
}

function guestOf(setup: Setup, within: (key: string) => string) {
  const { image } = setup;
  if (image === undefined || !("guest" in image)) return null;
  const guest = findGuest(image.guest);
  if (guest !== null) return guest;
  const known = GUESTS.map(({ id }) => id).join(", ");
  throw new ScenarioError(`${within("image")}: there is no guest "${image.guest}"; there are ${known}`);
}

/** What is in memory and in the registers at first. */
function startOf(
  scenario: Scenario,
  guest: Uint8Array | null,
  config: MachineSetup,
  options: MachineOptions,
): LoadedImage {
  const { machine: setup } = scenario.document;
  const loaded = loadImage(scenario, guest, config, options);
  const writes = [...loaded.writes];
  const { paging, registers } = setup;
  (setup.contents ?? []).forEach((piece, i) => {
    const at = toNumber(piece.at);
    const bytes =
      "bytes" in piece
        ? toBytes(piece.bytes)
        : "text" in piece
          ? asciiBytes(piece.text)
          : "words" in piece
            ? wordBytes(piece.words.map(toNumber))
            : filled(piece.fill, toNumber(piece.length));
    const hole = firstHole(at, bytes.length, config);
    if (hole !== null)
      throw new ScenarioError(
        `${scenario.where(["machine", "contents", i])}: there is no memory at ${hex(hole)}`,
      );
    writes.push({ gpa: at, bytes });
  });
  if (paging !== undefined) writes.push(...tableWrites(scenario, paging, config));
  const named = registers ?? {};
  const reg = (name: keyof typeof loaded.regs) =>
    named[name] === undefined ? loaded.regs[name] : toNumber(named[name]) >>> 0;
  return {
    ...loaded,
    writes,
    entry: named.eip === undefined ? loaded.entry : toNumber(named.eip) >>> 0,
    regs: {
      eax: reg("eax"),
      ecx: reg("ecx"),
      edx: reg("edx"),
      ebx: reg("ebx"),
      esp: reg("esp"),
      ebp: reg("ebp"),
      esi: reg("esi"),
      edi: reg("edi"),
    },
    controls: controlsOf(setup),
  };
}

function tableWrites(scenario: Scenario, paging: NonNullable<Setup["paging"]>, config: MachineSetup) {
  const where = scenario.where(["machine", "paging"]);
  try {
    return [...buildTables(paging)].map(([gpa, word]) => {
      if (firstHole(gpa, 4, config) !== null)
        throw new ScenarioError(`a table entry lies at ${hex(gpa)}, where there is no memory`);
      return { gpa, bytes: wordBytes([word]) };
    });
  } catch (error) {
    if (error instanceof ScenarioError) throw new ScenarioError(`${where}: ${error.message}`);
    throw error;
  }
}

function controlsOf({ paging, registers }: Setup): StartControls {
  const eflags = registers?.eflags === undefined ? 2 : toNumber(registers.eflags) >>> 0;
  if (paging === undefined) return { cr0: CR0_PE | CR0_ET, cr3: 0, cr4: 0, efer: 0, eflags };
  const { mode, nxe, on, pge, pse, root, wp } = paging;
  const cr0 = CR0_PE | CR0_ET | (wp === false ? 0 : CR0_WP) | (on === false ? 0 : CR0_PG);
  const cr4 = (pse === false ? 0 : CR4_PSE) | (mode === "PAE" ? CR4_PAE : 0) | (pge === true ? CR4_PGE : 0);
  return { cr0: cr0 >>> 0, cr3: toNumber(root) >>> 0, cr4, efer: nxe === true ? EFER_NXE : 0, eflags };
}

function loadImage(
  scenario: Scenario,
  guest: Uint8Array | null,
  config: MachineSetup,
  options: MachineOptions,
): LoadedImage {
  const { image } = scenario.document.machine;
  if (image === undefined) {
    const { base, limit, bytes } = placeGdt([]);
    return {
      kind: "flat",
      writes: [{ gpa: base, bytes }],
      zeros: [],
      entry: 0,
      regs: ZERO_REGS,
      gdt: { base, limit },
      symbols: [],
      notes: [],
    };
  }
  const where = scenario.where(["machine", "image"]);
  const { memory, memoryHigh } = config;
  const address = "address" in image && image.address !== undefined ? toNumber(image.address) : undefined;
  const kind =
    "guest" in image
      ? "multiboot"
      : "code" in image
        ? "flat"
        : address === undefined
          ? (image.kind ?? "auto")
          : "flat";
  const opened = openImage(bytesOf(image, guest, where, options), kind, { memory, memoryHigh, address });
  if (!opened.ok) throw new ScenarioError(`${where}: ${opened.error}`);
  return opened.image;
}

function bytesOf(
  image: NonNullable<Setup["image"]>,
  guest: Uint8Array | null,
  where: string,
  options: MachineOptions,
): Uint8Array {
  if ("code" in image) return toBytes(image.code);
  if ("base64" in image) return fromBase64(image.base64);
  if ("guest" in image) return guest ?? new Uint8Array();
  if (options.readFile === undefined) {
    throw new ScenarioError(
      `${where}: a scenario opened in the window reads no other file; put the image's bytes into it, as "base64"`,
    );
  }
  try {
    return options.readFile(image.file);
  } catch (error) {
    throw new ScenarioError(`${where}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** First address of a range where the machine has no memory, or null. */
function firstHole(at: number, length: number, { memory, memoryHigh }: MachineSetup): number | null {
  const end = at + length;
  if (end <= memory || (at >= 2 ** 32 && end <= 2 ** 32 + memoryHigh)) return null;
  return at < 2 ** 32 ? Math.max(at, memory) : Math.max(at, 2 ** 32 + memoryHigh);
}

/** One byte a character; characters above U+00FF become "?". */
export function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => (c.charCodeAt(0) > 255 ? 63 : c.charCodeAt(0)));
}

function wordBytes(words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => {
    view.setUint32(i * 4, word, true);
  });
  return bytes;
}

function filled(fill: string | number, length: number): Uint8Array {
  const word = typeof fill === "number" || /^0x[0-9a-fA-F_]+$/.test(fill);
  const pattern = word ? wordBytes([toNumber(fill) >>> 0]) : asciiBytes(fill === "" ? "\0" : fill);
  return Uint8Array.from({ length }, (_, i) => pattern[i % pattern.length]!);
}
