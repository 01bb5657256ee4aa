/**
 * gdb's `monitor`: the lab's commands as words. Each answers with lines for gdb's console; what changes the machine goes
 * through the same commands as the window's, so that the views follow.
 */
import type { Lab } from "../lab/lab.ts";
import { makeWalk } from "../lab/views/walk.ts";
import { violationLine } from "../machine/findings.ts";
import { eventText } from "../scenario/event-text.ts";
import { bytesOf } from "./hex.ts";
import { readMemory } from "./memory.ts";

/** What a session lets its commands change. */
export interface Monitored {
  readonly lab: Lab;
  /** gdb's addresses are guest-physical. */
  physical: boolean;
}

interface MonitorCommand {
  readonly usage: string;
  readonly help: string;
  /** Lines, without their ends. @throws with a sentence */
  readonly run: (session: Monitored, words: readonly string[]) => readonly string[];
}

const hex = (value: number): string => `0x${value.toString(16)}`;
const hex64 = (low: number, high: number): string =>
  high === 0 ? hex(low) : `${hex(high)}${low.toString(16).padStart(8, "0")}`;

const DUMP_MOST = 4096;
const EVENTS_MOST = 1000;
const SPTES = 512;

/** A number as gdb's users write it: 0x…, or decimal. @throws with a sentence */
function number(word: string | undefined, what: string, most: number): number {
  if (word === undefined) throw new Error(`say ${what}`);
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(word) ? Number(word) : Number.NaN;
  if (!(value <= most)) throw new Error(`${what} is a number up to ${hex(most)}, not "${word}"`);
  return value;
}

function onOff(word: string | undefined, what: string): boolean {
  if (word !== "on" && word !== "off") throw new Error(`${what} is on or off`);
  return word === "on";
}

function policy({ lab }: Monitored, [name]: readonly string[]): string[] {
  if (name !== undefined) lab.command({ name: "setPolicy", policy: name });
  return [`policy ${lab.machine.setup.policy}`];
}

function audit({ lab }: Monitored): string[] {
  if (lab.machine.kvm === null) return ["no shadow to audit under this policy"];
  lab.command({ name: "audit" });
  const report = lab.context.auditReport();
  if (report === null) return ["nothing was audited"];
  const { checked, violations } = report;
  if (violations.length === 0) return [`audit clean: ${checked.join(" ")}`];
  const known = lab.machine.watch.findings.list;
  return [
    `${violations.length} violations`,
    ...violations.map(({ invariant, message }) => {
      const dated = known.find((one) => one.invariant === invariant && one.message === message);
      return dated === undefined ? `${invariant}: ${message}` : violationLine(dated);
    }),
  ];
}

function shadow({ lab }: Monitored, [word]: readonly string[]): string[] {
  const { context, machine } = lab;
  if (machine.kvm === null) return ["there is no shadow under this policy"];
  const pages = context.shadowPages();
  const line = (page: (typeof pages)[number]): string =>
    `page ${hex(page.hpa)}: gfn ${hex(page.gfn)}, level ${page.level}, quadrant ${page.quadrant}, role ${hex(page.role)} (${page.fields}); ` +
    `${page.present} present, ${page.writable} writable, roots ${page.rootCount}, parents ${page.parents.length}${page.unsync ? ", unsync" : ""}`;
  if (word === undefined) {
    const { free, total } = context.pool();
    return [
      `${pages.length} shadow pages; ${free} of ${total} free; root ${rootText(lab)}`,
      ...pages.map(line),
    ];
  }
  const gfn = number(word, "a gfn", 0xff_ffff);
  const found = pages.filter((page) => page.gfn === gfn);
  if (found.length === 0) return [`no shadow page of gfn ${hex(gfn)}`];
  return found.flatMap((page) => [line(page), ...sptes(lab, page.hpa)]);
}

const rootText = (lab: Lab): string => {
  const root = lab.context.rootHpa();
  return root < 0 ? "none" : hex(root);
};

function sptes(lab: Lab, hpa: number): string[] {
  const { u32 } = lab.machine.memory;
  const lines: string[] = [];
  for (let i = 0; i < SPTES; i++) {
    const at = (hpa >>> 2) + i * 2;
    if (u32[at] !== 0 || u32[at + 1] !== 0) lines.push(`  spte ${i}: ${hex64(u32[at]!, u32[at + 1]!)}`);
  }
  return lines;
}

function counters({ lab }: Monitored): string[] {
  const rows = lab.context.counters().filter(({ value }) => value !== 0);
  return rows.length === 0 ? ["all counters are 0"] : rows.map(({ name, value }) => `${name} ${value}`);
}

const ACCESSES: Readonly<Record<string, { write: boolean; fetch: boolean }>> = {
  read: { write: false, fetch: false },
  write: { write: true, fetch: false },
  fetch: { write: false, fetch: true },
};

function translate({ lab }: Monitored, words: readonly string[]): string[] {
  const gva = number(words[0], "an address", 0xffff_ffff);
  let access = ACCESSES.read!;
  let user = false;
  for (const word of words.slice(1)) {
    if (word === "user") user = true;
    else if (Object.hasOwn(ACCESSES, word)) access = ACCESSES[word]!;
    else throw new Error(`an access is read, write or fetch, and user; not "${word}"`);
  }
  const walk = makeWalk(lab.context, gva, { ...access, user });
  const lines = [
    walk.guest.gpa < 0 ? `gva ${hex(gva)}: no gpa` : `gva ${hex(gva)} -> gpa ${hex(walk.guest.gpa)}`,
    ...walk.steps
      .filter(({ side }) => side !== "tlb")
      .map(
        ({ side, label, address, low, high }) => `  ${side} ${label} at ${hex(address)}: ${hex64(low, high)}`,
      ),
    `guest: ${walk.guest.text}`,
  ];
  if (walk.shadow !== null) {
    const hpa = walk.shadow.hpa < 0 ? "" : ` (hpa ${hex(walk.shadow.hpa)})`;
    lines.push(`shadow: ${walk.shadow.text}${hpa}`);
  }
  if (walk.nested !== null) lines.push(`host tables: ${walk.nested.text}`);
  lines.push(`tlb: ${walk.tlb.text}`);
  return lines;
}

function stats({ lab }: Monitored): string[] {
  const { machine, context } = lab;
  const { cpu, stop } = machine;
  const { free, total } = context.pool();
  return [
    `${lab.source.title}; policy ${machine.setup.policy}, tlb ${machine.setup.tlb}, audit ${machine.setup.audit}`,
    `time ${machine.time}, ${machine.instructions} instructions, ${machine.exits} exits, ${machine.log.length} inputs`,
    `stopped: ${stop.reason}${stop.detail === "" ? "" : ` (${stop.detail})`}`,
    `CPL ${cpu.cpl}, paging ${machine.guestPaging().mode}, ${context.symbols.where(cpu.linearIp >>> 0)}`,
    `shadow pages ${total - free} of ${total}, root ${rootText(lab)}, findings ${machine.watch.findings.total}`,
  ];
}

function reset({ lab }: Monitored): string[] {
  lab.restart();
  return ["the guest starts again; gdb's own picture is old: flush it with maintenance flush register-cache"];
}

function physical(session: Monitored, [word]: readonly string[]): string[] {
  if (word !== undefined) session.physical = onOff(word, "physical");
  return [session.physical ? "addresses are guest-physical" : "addresses are virtual (linear)"];
}

function dump({ lab }: Monitored, words: readonly string[]): string[] {
  const gpa = number(words[0], "a guest-physical address", 2 ** 36 - 1);
  const length = words[1] === undefined ? 64 : number(words[1], "a count of bytes", DUMP_MOST);
  const bytes = readMemory(lab.machine, gpa, length, true);
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)].map((byte) => byte.toString(16).padStart(2, "0"));
    lines.push(`${hex(gpa + at)}: ${row.join(" ")}`);
  }
  if (bytes.length < length) lines.push(`${hex(gpa + bytes.length)}: no memory`);
  return lines;
}

function events({ lab }: Monitored, [word]: readonly string[]): string[] {
  const most = word === undefined ? 20 : number(word, "a count of events", EVENTS_MOST);
  const trace = lab.sharedTrace;
  const found = trace.query(0, most);
  if (found.length === 0) return [trace.on ? "no events" : "the trace is off"];
  return found.map(
    (event) => `${event.seq} time ${event.time} eip ${hex(event.eip >>> 0)} ${eventText(event)}`,
  );
}

function serial({ lab }: Monitored, words: readonly string[]): string[] {
  if (words.length === 0) throw new Error("say what to type at the serial port");
  lab.command({ name: "serialInput", bytes: bytesOf(`${words.join(" ")}\n`) });
  return [];
}

function symbol({ lab }: Monitored, [name]: readonly string[]): string[] {
  if (name === undefined) throw new Error("say which symbol");
  const address = lab.context.symbols.find(name);
  if (address === null) throw new Error(`the image has no symbol ${name}`);
  return [`${name} = ${hex(address)}`];
}

const COMMANDS: Readonly<Record<string, MonitorCommand>> = {
  help: {
    usage: "help",
    help: "this list",
    run: () => Object.values(COMMANDS).map(({ usage, help: text }) => `monitor ${usage.padEnd(34)}${text}`),
  },
  policy: {
    usage: "policy [NAME]",
    help: "the policy in charge; with NAME: put that one in charge",
    run: policy,
  },
  audit: { usage: "audit", help: "check every invariant of the shadow now", run: audit },
  shadow: {
    usage: "shadow [GFN]",
    help: "the shadow pages; with GFN: those of one table, with their sptes",
    run: shadow,
  },
  counters: { usage: "counters", help: "every counter that is not 0", run: counters },
  translate: {
    usage: "translate ADDR [read|write|fetch] [user]",
    help: "one access through the guest's tables, the shadow and the TLB",
    run: translate,
  },
  stats: { usage: "stats", help: "the machine in a few lines", run: stats },
  events: { usage: "events [N]", help: "the newest events of the trace", run: events },
  symbol: { usage: "symbol NAME", help: "address of a symbol that the image names", run: symbol },
  xp: { usage: "xp ADDR [BYTES]", help: "bytes at a guest-physical address, also above 4 GiB", run: dump },
  physical: { usage: "physical [on|off]", help: "whether gdb's addresses are guest-physical", run: physical },
  serial: { usage: "serial TEXT", help: "type a line at the serial port", run: serial },
  reset: { usage: "reset", help: "start the guest again", run: reset },
};

/** Carries a line out. Answers what to print; a refusal is a sentence too. Never throws. */
export function monitor(session: Monitored, line: string): string {
  const [name = "help", ...words] = line.split(/\s+/).filter((word) => word !== "");
  if (!Object.hasOwn(COMMANDS, name)) return `there is no command "${name}"; monitor help lists them\n`;
  try {
    const lines = COMMANDS[name]!.run(session, words);
    return lines.map((text) => `${text}\n`).join("");
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n`;
  }
}
