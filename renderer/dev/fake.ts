/**
 * An invented lab: plausible protocol data that changes while it "runs". For developing panes only.
 */
import {
  type ClientMessage,
  type Command,
  DEFAULT_CONFIG,
  type Description,
  EVENT_KINDS,
  type EventsView,
  type HostMessage,
  type LastWrite,
  type ShadowPageInfo,
  type Status,
  type ViewData,
  type ViewRequest,
} from "../../core/lab/protocol/index.ts";
import type { Bridge } from "../bridge.ts";

const description: Description = {
  guests: [
    {
      id: "quadrant",
      title: "quadrant",
      help: "The smallest program that shows the commit: both halves of one page table, all quadrants of its directory.",
      memory: 8 << 20,
      memoryHigh: 0,
    },
    {
      id: "nonpae-kernel",
      title: "Non-PAE kernel",
      help: "A small 32-bit kernel: 4 MiB and 4 KiB pages, a user task, demand paging, copy-on-write.",
      memory: 64 << 20,
      memoryHigh: 0,
    },
    {
      id: "pae-kernel",
      title: "PAE kernel",
      help: "The same with PAE: NX and memory above 4 GiB.",
      memory: 64 << 20,
      memoryHigh: 16 << 20,
    },
  ],
  policies: [
    {
      id: "none",
      title: "none",
      era: "bare",
      source: "",
      help: "No hypervisor: the processor walks the guest's own tables.",
    },
    {
      id: "P",
      title: "P · zap the page",
      era: "2.6.20",
      source: "",
      help: "Every write to a shadowed table zaps all its shadow pages.",
    },
    {
      id: "B",
      title: "B · quadrant",
      era: "2007-05",
      source: "fce0657",
      help: "pte_write respects the quadrant and clears exactly the sptes the write concerns.",
    },
    {
      id: "C",
      title: "C · update in place",
      era: "2007-05",
      source: "0028425",
      help: "pte_write writes the new value into the spte.",
    },
    {
      id: "D",
      title: "D · update without quadrant",
      era: "counterfactual",
      source: "",
      help: "What the commit message warns of: the wrong half is updated too.",
    },
  ],
  hazards: ["sp-collision", "stale-role", "pdptr-reload", "nx-large-page", "invlpg-large"].map((id) => ({
    id,
    title: id.replaceAll("-", " "),
    source: "docs 2.9",
    help: "Where the reference would go wrong when two paths meet in one shadow page; guarded, the lab zaps and refills.",
  })),
};

const pages: ShadowPageInfo[] = [
  [0x800000, 1, 0x22, 2, 0, 1, 12],
  [0x801000, 1, 0x122, 2, 1, 1, 0],
  [0x802000, 1, 0x222, 2, 2, 1, 0],
  [0x803000, 1, 0x322, 2, 3, 1, 6],
  [0x804000, 0x2f4, 0x12, 1, 0, 0, 120],
  [0x805000, 0x2f4, 0x112, 1, 1, 0, 61],
  [0x806000, 0x2f5, 0x12, 1, 0, 0, 9],
  [0x807000, 0x400, 0x30012, 1, 0, 0, 44],
].map(([hpa, gfn, role, level, quadrant, rootCount, present]) => ({
  hpa: hpa!,
  gfn: gfn!,
  role: role!,
  level: level!,
  quadrant: quadrant!,
  glevels: 2,
  metaphysical: false,
  hugepageAccess: (role! >>> 17) & 7,
  rootCount: rootCount!,
  parents: level === 1 ? [0x800100 + quadrant! * 8] : [],
  present: present!,
  writable: present! >> 1,
}));

let time = 3_184_220;
let running = false;
let seq = 42_118;
let guest: string | null = "quadrant";
let config = { ...DEFAULT_CONFIG };
let auditMode: "every" | "end" | "off" = "every";
let traceOn = true;
let console_ = "quadrant: start\r\nPTE 584 -> frame 05678\r\nq1[72] is fresh, q0 was not touched\r\n> ";
let entry = 584;
const breakpoints = new Set<number>();
const regs = [0x05678067, 0x10, 0xc0101000, 0x248, 0xc0007fb0, 0xc0007fd8, 0x2f4920, 0x08248000];
const table = new Uint32Array(1024);
for (let i = 0; i < 1024; i++)
  if ((i > 60 && i < 120) || (i > 560 && i < 640) || i % 97 === 0) table[i] = ((0x5000 + i) << 12) | 0x67;
let events: EventsView["events"][number][] = [];

const kindId = (name: string) => EVENT_KINDS.findIndex((kind) => kind.name === name);
function record(name: string, words: number[]): void {
  events.push({
    seq: seq++,
    kind: kindId(name),
    time,
    eip: 0xc0101a3e,
    words: [...words, 0, 0, 0, 0, 0, 0, 0, 0].slice(0, 8),
  });
  if (events.length > 20000) events = events.slice(-10000);
}
function write(): void {
  entry = 520 + ((entry + 7) % 200);
  table[entry] = ((0x5000 + ((time >> 4) & 0xfff)) << 12) | 0x67;
  time += 71;
  record("exit", [1, 0x2f4000 + entry * 4, 3]);
  record("pte_write", [0x2f4, entry * 4, 4, table[entry]!, 0, 1, 0]);
  record("pte_write_page", [0x804000, 0x12, 1, 1, 0, 0]);
  record("pte_write_page", [0x805000, 0x112, 0, 1, entry - 512, 1]);
  record("spte_clear", [0x805000, entry - 512, 0x05671e67, 0, 2]);
  record("tlb_flush", [2]);
  time += 9;
  record("pf_fixed", [0x08000000 + entry * 4096, 6, table[entry]! >>> 12, table[entry]! | 0xe00, 0, 0]);
  if (entry % 5 === 0) record("pf_guest", [0x0a000000, 6, 14]);
  if (entry % 11 === 0) record("cr_write", [3, 0x1000, 0x1000]);
  regs[3] = entry;
  regs[0] = table[entry]!;
}
for (let i = 0; i < 400; i++) write();

function status(): Status {
  return {
    running,
    state: running ? "running" : "paused",
    stop: { reason: time === 3_184_220 ? "never-run" : "paused", detail: "" },
    time,
    instructions: time,
    eip: 0xc0101a3e,
    cpl: 0,
    where: "write_pte+0x12",
    title: guest ?? "image",
    guest,
    introduction: [
      "The guest is about to write entry 584 of a page table that KVM shadows with two pages.",
      "Press Run to the next pte_write and watch the Table pane: the write goes to q1 and to its frame.",
      "q0 shadows the other half of the same table. It says that it was skipped, and why.",
      "Then choose policy D above and do it again: the wrong half is updated too, and the audit turns red.",
    ],
    config: { ...config, audit: auditMode },
    mips: running ? 38.4 : 0,
    audit: {
      mode: auditMode,
      violations: config.policy === "D" ? 2 : 0,
      first: config.policy === "D" ? "I5: spte 72 of q0 maps frame 05678, its gpte names 05121" : "",
    },
    traceOn,
    counters: {
      exits: 2110 + (time >> 5),
      pf_fixed: 1204 + (time >> 7),
      pf_guest: 96,
      mmu_pte_write: 318,
      quadrant_skipped: 287,
    },
  };
}

const sptes = (info: ShadowPageInfo) => {
  const words = new Uint32Array(1024);
  for (let i = 0; i < 512; i++) {
    const gpte = info.level === 1 ? table[info.quadrant * 512 + i]! : i < info.present ? 0x804027 : 0;
    if (gpte !== 0) words[2 * i] = (gpte & 0xfffff067) | (info.level === 1 ? 0xe00 : 0);
  }
  return words;
};
const CODE = [
  "mov     eax, [ebp+8]",
  "shl     ecx, 12",
  "or      ecx, 0x67",
  "mov     eax, ecx",
  "mov     [esi], eax",
  "invlpg  [edi]",
  "add     esi, 4",
  "dec     ebx",
  "jnz     0xc0101a36",
  "call    0xc0101b00",
  "test    eax, eax",
  "jz      0xc0101a80",
  "ret",
  "push    ebp",
  "mov     ebp, esp",
  "hlt",
];

function answer(request: ViewRequest): ViewData | string {
  switch (request.kind) {
    case "cpu":
      return {
        kind: "cpu",
        regs: [...regs],
        eip: 0xc0101a3e,
        eflags: 0x246,
        cpl: 0,
        segments: ["es", "cs", "ss", "ds", "fs", "gs", "tr", "ldtr"].map((name, i) => ({
          name,
          selector: name === "cs" ? 8 : i > 5 ? 0x28 : 0x10,
          base: i > 5 ? 0xc0104000 : 0,
          limit: i > 5 ? 0x67 : 0xffffffff,
          attributes: name === "cs" ? 0xc09b : 0xc093,
        })),
        gdtr: { base: 0xc0103000, limit: 0x37 },
        idtr: { base: 0xc0103800, limit: 0x7ff },
        cr0: 0x80010013,
        cr2: 0x08248000,
        cr3: 0x1000,
        cr4: 0x10,
        efer: 0,
        paging: "2-level",
        hardware: { mode: "PAE", cr3: 0x7ff020, tlbEntries: 37 },
        pdptrs: [],
        changed: 0b1001,
      };
    case "disassembly": {
      const start = request.address ?? 0xc0101a36;
      return {
        kind: "disassembly",
        lines: CODE.concat(CODE, CODE, CODE)
          .slice(0, request.count)
          .map((text, i) => {
            const address = start + i * 2;
            const target = /0x([0-9a-f]{8})/.exec(text);
            return {
              address,
              bytes: "8b 45 08".slice(0, i % 3 === 0 ? 8 : 5),
              text,
              symbol: i === 0 ? "write_pte" : i === 13 ? "main" : null,
              current: address === 0xc0101a3e,
              breakpoint: breakpoints.has(address),
              target: target ? Number.parseInt(target[1]!, 16) : null,
            };
          }),
      };
    }
    case "events": {
      const kinds = request.kinds;
      const all = events.filter(
        (e) =>
          (kinds.length === 0 || kinds.includes(EVENT_KINDS[e.kind]!.name)) &&
          (request.before === null || e.seq < request.before),
      );
      return { kind: "events", total: seq, oldest: events[0]!.seq, events: all.slice(-request.most) };
    }
    case "counters": {
      const row = (
        group: "vcpu" | "mmu" | "quadrant" | "guards",
        name: string,
        value: number,
        help: string,
      ) => ({ name, value, help, group });
      return {
        kind: "counters",
        rows: [
          row("vcpu", "exits", status().counters.exits, "VM exits."),
          row(
            "vcpu",
            "pf_fixed",
            status().counters.pf_fixed,
            "Shadow faults that the hypervisor answered; the guest never sees them.",
          ),
          row("vcpu", "pf_guest", 96, "Page faults injected into the guest."),
          row("vcpu", "tlb_flush", 511, "Times the whole TLB was dropped."),
          row("vcpu", "invlpg", 318, "INVLPG exits."),
          row("vcpu", "halt_exits", 0, "HLT exits."),
          row("mmu", "mmu_pte_write", 318, "Emulated writes that reached kvm_mmu_pte_write."),
          row("mmu", "mmu_pde_zapped", 4, "Directory sptes cleared."),
          row("mmu", "mmu_shadow_zapped", 12, "Shadow pages zapped."),
          row("mmu", "mmu_flooded", 1, "Pages zapped by the flood detector."),
          row("mmu", "mmu_recycled", 0, "Pages reclaimed from the pool."),
          row(
            "quadrant",
            "quadrant_touched",
            318,
            "Shadow pages of the right quadrant that a write changed.",
          ),
          row(
            "quadrant",
            "quadrant_skipped",
            287,
            "Shadow pages of the written table that pte_write left alone: another quadrant.",
          ),
          row("guards", "guard_zaps", 0, "Times a guard acted."),
        ],
      };
    }
    case "console":
      return { kind: "console", text: console_, total: console_.length };
    case "audit":
      return {
        kind: "audit",
        mode: auditMode,
        checkedAt: time,
        report: {
          checked: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11", "I12"],
          violations:
            config.policy === "D"
              ? [
                  {
                    invariant: "I5",
                    message: "spte 72 of q0 maps frame 05678, but its gpte (PTE 72) names 05121.",
                    page: 0x804000,
                    index: 72,
                    gva: 0x08048000,
                    time: time - 90,
                  },
                  {
                    invariant: "I7",
                    message: "The rmap of gfn 5678 holds an spte that no guest entry asks for.",
                    page: 0x804000,
                    index: 72,
                  },
                ]
              : [],
        },
      };
    case "addressSpace":
      return {
        kind: "addressSpace",
        cr3: 0x1000,
        mode: "2-level",
        rows: [
          {
            level: 2,
            index: 0,
            gva: 0,
            length: 0x400000,
            gfn: 0,
            low: 0x1e3,
            high: 0,
            what: "large page",
            present: 1024,
          },
          {
            level: 2,
            index: 32,
            gva: 0x08000000,
            length: 0x400000,
            gfn: 0x2f4,
            low: 0x2f4067,
            high: 0,
            what: "table",
            present: 149,
          },
          {
            level: 1,
            index: 61,
            gva: 0x0803d000,
            length: 59 * 4096,
            gfn: 0x503d,
            low: 0x503d067,
            high: 0,
            what: "page",
            present: 59,
          },
          {
            level: 1,
            index: 561,
            gva: 0x08231000,
            length: 79 * 4096,
            gfn: 0x5231,
            low: 0x5231067,
            high: 0,
            what: "page",
            present: 79,
          },
          {
            level: 2,
            index: 192,
            gva: 0x30000000,
            length: 0x400000,
            gfn: 0x2f5,
            low: 0x2f5067,
            high: 0,
            what: "table",
            present: 9,
          },
          {
            level: 2,
            index: 768,
            gva: 0xc0000000,
            length: 0x400000,
            gfn: 0,
            low: 0x1e3,
            high: 0,
            what: "large page",
            present: 1024,
          },
        ],
      };
    case "walk": {
      const gva = request.gva;
      const pte = table[(gva >>> 12) & 1023]!;
      const ok = pte !== 0;
      return {
        kind: "walk",
        gva,
        steps: [
          {
            side: "guest",
            label: `PDE ${gva >>> 22}`,
            level: 2,
            index: gva >>> 22,
            address: 0x1000 + (gva >>> 22) * 4,
            entrySize: 4,
            low: 0x2f4067,
            high: 0,
            decides: null,
            note: "table at gfn 002f4",
          },
          {
            side: "guest",
            label: `PTE ${(gva >>> 12) & 1023}`,
            level: 1,
            index: (gva >>> 12) & 1023,
            address: 0x2f4000 + ((gva >>> 12) & 1023) * 4,
            entrySize: 4,
            low: pte,
            high: 0,
            decides: ok ? null : "P",
            note: ok ? "page at gfn 05678" : "not present",
          },
          {
            side: "shadow",
            label: "pae_root 0",
            level: 3,
            index: 0,
            address: 0x7ff020,
            entrySize: 8,
            low: 0x800001,
            high: 0,
            decides: null,
            note: "shadow page 00800000, q0",
          },
          {
            side: "shadow",
            label: "spte 65 (level 2)",
            level: 2,
            index: 65,
            address: 0x800208,
            entrySize: 8,
            low: 0x805027,
            high: 0,
            decides: null,
            note: "shadow page 00805000, q1",
          },
          {
            side: "shadow",
            label: "spte 72 (level 1)",
            level: 1,
            index: 72,
            address: 0x805240,
            entrySize: 8,
            low: 0,
            high: 0,
            decides: "P",
            note: "not present",
          },
          {
            side: "tlb",
            label: "TLB",
            level: 0,
            index: 0,
            address: 0,
            entrySize: 8,
            low: 0,
            high: 0,
            decides: null,
            note: "no entry",
          },
        ],
        guest: {
          ok,
          gpa: 0x05678000,
          error: ok ? 0 : 6,
          text: ok
            ? "The guest allows it: gpa 05678000."
            : "Guest fault: PTE 0 is not present, error code 6.",
        },
        shadow: {
          ok: false,
          hpa: 0,
          text: "Shadow fault: spte 72 in q1 is not present. KVM would fix it; the guest never sees it.",
        },
        tlb: { hit: false, text: "The TLB holds nothing for this page." },
      };
    }
    case "memory": {
      const bytes = new Uint8Array(request.length);
      for (let i = 0; i < bytes.length; i++)
        bytes[i] = (table[((request.address + i) >> 2) & 1023]! >>> (((request.address + i) & 3) * 8)) & 255;
      return {
        kind: "memory",
        space: request.space,
        address: request.address,
        bytes,
        state: new Uint8Array(bytes.length).fill(1),
        pages: [
          {
            address: request.address & ~0xfff,
            role: 2,
            gpa: request.address & ~0xfff,
            hpa: request.address + 0x1000000,
            entrySize: 4,
            level: 1,
            writeProtected: true,
          },
        ],
      };
    }
    case "shadowPages":
      return {
        kind: "shadowPages",
        pages,
        free: 256 - pages.length,
        total: 256,
        paeRoot: pages.slice(0, 4).map((p) => ({ low: p.hpa | 1, high: 0 })),
      };
    case "shadowPage": {
      const info = pages.find((page) => page.hpa === request.hpa) ?? null;
      return {
        kind: "shadowPage",
        info,
        sptes: info ? sptes(info) : new Uint32Array(1024),
        changed: new Uint8Array(512),
        bad: [],
      };
    }
    case "table": {
      const changed = new Uint8Array(1024);
      changed[entry] = 1;
      const lastWrite: LastWrite = {
        seq,
        time,
        offset: entry * 4,
        bytes: 4,
        low: table[entry]!,
        high: 0,
        flooded: false,
        count: 1,
        pages: [
          { hpa: 0x804000, role: 0x12, verdict: 1, quadrant: 1, index: 0, npte: 0 },
          { hpa: 0x805000, role: 0x112, verdict: 0, quadrant: 1, index: entry - 512, npte: 1 },
        ],
      };
      return {
        kind: "table",
        gfn: 0x2f4,
        level: 1,
        entrySize: 4,
        entries: table,
        changed,
        gvaBase: 0x08000000,
        shadows: pages
          .filter((p) => p.gfn === 0x2f4)
          .map((info) => ({
            info,
            sptes: sptes(info),
            changed: new Uint8Array(512),
            bad: config.policy === "D" && info.quadrant === 0 ? [72] : [],
          })),
        lastWrite,
        frames: Array.from({ length: 12 }, (_, i) => ({
          hfn: 0x5670 + i,
          gfn: 0x5670 + i,
          rmap: 1 + (i % 2),
          spte: 0x805000 + (entry - 518 + i) * 8,
        })),
        tables: [
          { gfn: 1, level: 2, label: "page directory" },
          { gfn: 0x2f4, level: 1, label: "PDE 32" },
          { gfn: 0x2f5, level: 1, label: "PDE 192" },
        ],
      };
    }
  }
}

export function fakeBridge(): Bridge {
  const listeners = new Set<(message: HostMessage) => void>();
  const views = new Map<number, ViewRequest>();
  const crash = new Set<(reason: string) => void>();
  let pushes = 0;
  let acked = true;
  let dirty = true;
  const tell = (message: HostMessage) => {
    for (const listener of listeners) listener(message);
  };
  const run = (command: Command): unknown => {
    dirty = true;
    switch (command.name) {
      case "describe":
        return description;
      case "run":
        running = true;
        return null;
      case "pause":
        running = false;
        return null;
      case "step":
      case "runTo":
      case "runToEvent":
        write();
        return null;
      case "breakpoint":
        if (command.on) breakpoints.add(command.address);
        else breakpoints.delete(command.address);
        return null;
      case "loadGuest":
        guest = command.guest;
        return null;
      case "setPolicy":
        config = { ...config, policy: command.policy };
        return null;
      case "setTlb":
        config = { ...config, tlb: command.tlb };
        return null;
      case "setHazard":
        config = { ...config, hazards: { ...config.hazards, [command.hazard]: command.setting } };
        return null;
      case "setAudit":
        auditMode = command.audit;
        return null;
      case "setTrace":
        traceOn = command.on;
        return null;
      case "serialInput":
        console_ += String.fromCharCode(...command.bytes).replace("\r", "\r\n");
        return null;
      case "audit":
        return { checked: ["I1", "I2"], violations: [] };
      case "edit":
        if (command.address % 4096 > 0xff0)
          throw new Error("This page is not mapped: the guest's PTE is not present.");
        return { ok: true, exits: 1, written: command.size };
      case "reset":
        time = 0;
        return null;
      default:
        return null;
    }
  };
  setInterval(() => {
    if (running) {
      write();
      dirty = true;
      if (!Object.keys(window).includes("fast")) time += 200_000;
    }
    if (!dirty || !acked) return;
    dirty = false;
    acked = false;
    const data: { view: number; data: ViewData }[] = [];
    for (const [view, request] of views) {
      const value = answer(request);
      if (typeof value === "string") tell({ type: "viewError", view, error: value });
      else data.push({ view, data: value });
    }
    tell(structuredClone({ type: "push", seq: ++pushes, status: status(), views: data } as const));
  }, 33);
  (window as unknown as { crashHost: () => void }).crashHost = () => {
    for (const listener of crash) listener("the worker ran out of memory");
  };
  return {
    edition: "browser",
    post(message: ClientMessage) {
      setTimeout(() => {
        if (message.type === "command") {
          try {
            tell({ type: "reply", id: message.id, ok: true, value: run(message.command) });
          } catch (reason) {
            tell({ type: "reply", id: message.id, ok: false, error: (reason as Error).message });
          }
        } else if (message.type === "view") {
          views.set(message.view, message.request);
          dirty = true;
        } else if (message.type === "close") views.delete(message.view);
        else if (message.type === "hello") {
          acked = true;
          dirty = true;
        } else acked = true;
      }, 1);
    },
    onMessage(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onHostCrash(listener) {
      crash.add(listener);
      return () => crash.delete(listener);
    },
    restartHost: () => Promise.resolve(),
    openImageFile: () => Promise.resolve({ title: "kernel.bin", bytes: new Uint8Array(4096) }),
    openMachineFile: () => Promise.resolve(null),
    saveFile: () => Promise.resolve(true),
    setMenu() {},
    onMenuCommand: () => () => {},
  };
}
