/**
 * The interrupt controllers in words: the 8259A pair, the local APIC, the I/O APIC.
 * Names: Intel 8259A and 82093AA data sheets; SDM vol. 3, chapter 10.
 */
import type { Board } from "../../../devices/board.ts";
import type { PicState } from "../../../devices/pic.ts";
import type { DevicePart, DeviceRegister } from "../../protocol/index.ts";
import { bits, fact, hex, numbers, register } from "./words.ts";

// ---- 8259A ----

const IRQ_NAMES: Readonly<Record<number, string>> = {
  0: "timer",
  1: "keyboard",
  2: "cascade",
  3: "COM2",
  4: "COM1",
  8: "clock",
  13: "FERR#",
  14: "disk",
};

function irqs(value: number, offset: number): string {
  const list: string[] = [];
  for (let bit = 0; bit < 8; bit++) {
    if (((value >> bit) & 1) === 0) continue;
    const name = IRQ_NAMES[bit + offset];
    list.push(name === undefined ? String(bit + offset) : `${bit + offset} (${name})`);
  }
  return list.length === 0 ? "none" : list.join(", ");
}

function picPart(title: string, state: PicState, offset: number): DevicePart {
  const { irr, isr, imr, lines, elcr, vectorBase, lowest, awaits, icw1, icw4 } = state;
  const read = state.poll ? "poll word" : state.readIsr ? "ISR" : "IRR";
  return {
    title,
    registers: [
      register("IRR", irr, 2, `requested: ${irqs(irr, offset)}`),
      register("ISR", isr, 2, `in service: ${irqs(isr, offset)}`),
      register("IMR", imr, 2, `let through: ${irqs(~imr & 0xff, offset)}`),
      register("Lines", lines, 2, `high: ${irqs(lines, offset)}`),
      register("ELCR", elcr, 2, `level-triggered: ${irqs(elcr, offset)}`),
      register(
        "ICW1",
        icw1,
        2,
        `${(icw1 & 8) !== 0 ? "level-triggered" : "edge-triggered"}, ${(icw1 & 2) !== 0 ? "single" : "cascaded"}`,
      ),
      register("ICW2", vectorBase, 2, `vectors ${hex(vectorBase, 2)} to ${hex(vectorBase + 7, 2)}`),
      register(
        "ICW4",
        icw4,
        2,
        bits(icw4, { 0: "8086 mode", 1: "automatic EOI", 4: "special fully nested" }, "MCS-80 mode"),
      ),
      fact("Priority", `lowest: IRQ ${lowest + offset}${state.specialMask ? "; special mask mode" : ""}`),
      fact(
        "State",
        awaits === 0
          ? `a read of port ${offset === 0 ? "20" : "A0"} gives the ${read}`
          : `awaits ICW${awaits}`,
      ),
    ],
  };
}

export function picParts(board: Board): DevicePart[] {
  const { master, slave } = board.pic.save();
  return [picPart("Master (20, 21)", master, 0), picPart("Slave (A0, A1)", slave, 8)];
}

export function picSummary(board: Board): string {
  const { pic } = board;
  const { master, slave } = pic.save();
  const open = (~master.imr & 0xff & ~4) | ((~slave.imr & 0xff) << 8);
  const asks = pic.interrupting ? `asks with vector ${hex(pic.vector, 2)}` : "asks for nothing";
  return `${asks}; unmasked: IRQ ${numbers(open)}`;
}

// ---- local APIC ----

const DELIVERY = ["fixed", "lowest priority", "SMI", "reserved", "NMI", "INIT", "start-up", "ExtINT"];

/** Vectors of a 256-bit register. */
function vectors(board: Board, first: number): string {
  const list: string[] = [];
  for (let i = 0; i < 8; i++) {
    const word = board.apic.readRegister(first + i * 16);
    for (let bit = 0; bit < 32; bit++) if (((word >>> bit) & 1) !== 0) list.push(hex(i * 32 + bit, 2));
  }
  return list.length === 0 ? "none" : list.join(", ");
}

function entryText(entry: number): string {
  const mode = DELIVERY[(entry >> 8) & 7]!;
  const vector = mode === "fixed" || mode === "lowest priority" ? `, vector ${hex(entry & 0xff, 2)}` : "";
  return `${(entry & 0x10000) !== 0 ? "masked; " : ""}${mode}${vector}`;
}

export function apicParts(board: Board): DevicePart[] {
  const { apic } = board;
  const at = (offset: number): number => apic.readRegister(offset);
  const lvt = (name: string, offset: number, more = ""): DeviceRegister =>
    register(name, at(offset), 8, entryText(at(offset)) + more);
  const svr = at(0xf0);
  const { apicBase } = board.switches;
  const divide = at(0x3e0);
  const code = ((divide & 8) >> 1) | (divide & 3);
  const ldr = at(0xd0) >>> 24;
  const shorthand = ["", "; to self", "; to all", "; to all others"][(at(0x300) >>> 18) & 3]!;
  return [
    {
      title: "",
      registers: [
        register(
          "IA32_APIC_BASE",
          apicBase,
          8,
          `at ${hex(apicBase & ~0xfff, 8)}, ${bits(apicBase, { 8: "bootstrap processor", 11: "enabled" })}`,
        ),
        register("ID", at(0x20), 8, `APIC ${apic.id}`),
        register(
          "Version",
          at(0x30),
          8,
          `version ${hex(at(0x30) & 0xff, 2)}, ${((at(0x30) >> 16) & 0xff) + 1} local vectors`,
        ),
        register("TPR", at(0x80), 2, `task priority class ${at(0x80) >> 4}`),
        register("PPR", at(0xa0), 2, `holds back vectors below ${hex(((at(0xa0) >> 4) + 1) * 16, 2)}`),
        register("LDR", at(0xd0), 8, `logical APIC ID ${hex(ldr, 2)}`),
        register("DFR", at(0xe0), 8, at(0xe0) >>> 28 === 15 ? "flat model" : "cluster model"),
        register(
          "SVR",
          svr,
          8,
          `${(svr & 0x100) !== 0 ? "enabled" : "disabled by software"}; spurious vector ${hex(svr & 0xff, 2)}`,
        ),
        fact("ISR", `in service: ${vectors(board, 0x100)}`),
        fact("TMR", `level-triggered: ${vectors(board, 0x180)}`),
        fact("IRR", `requested: ${vectors(board, 0x200)}`),
        register(
          "ESR",
          at(0x280),
          8,
          bits(
            at(0x280),
            { 5: "illegal vector sent", 6: "illegal vector received", 7: "illegal register" },
            "no error",
          ),
        ),
        register("ICR low", at(0x300), 8, entryText(at(0x300) & 0xffff) + shorthand),
        register("ICR high", at(0x310), 8, `destination ${hex(at(0x310) >>> 24, 2)}`),
      ],
    },
    {
      title: "Local vector table",
      registers: [
        lvt("Timer", 0x320, (at(0x320) & 0x20000) !== 0 ? ", periodic" : ", one-shot"),
        lvt("Performance", 0x340),
        lvt("LINT0", 0x350, " (the 8259 pair)"),
        lvt("LINT1", 0x360, " (NMI)"),
        lvt("Error", 0x370),
      ],
    },
    {
      title: "Timer",
      registers: [
        register("Initial count", at(0x380), 8, String(at(0x380) >>> 0)),
        register("Current count", at(0x390), 8, String(at(0x390) >>> 0)),
        register("Divide configuration", divide, 2, `bus clock / ${code === 7 ? 1 : 2 << code}`),
      ],
    },
  ];
}

export function apicSummary(board: Board): string {
  const { apic } = board;
  if (!apic.globallyEnabled)
    return "turned off in IA32_APIC_BASE: the 8259 pair is wired straight to the processor";
  const svr = apic.readRegister(0xf0);
  const lint0 = apic.readRegister(0x350);
  const wire =
    (lint0 & 0x10700) === 0x700
      ? "LINT0 lets the 8259 pair through"
      : entryText(lint0).replace(/^/, "LINT0 ");
  return `${(svr & 0x100) !== 0 ? "enabled" : "disabled by software"}; ${wire}; in service: ${vectors(board, 0x100)}`;
}

// ---- I/O APIC ----

const INPUTS: Readonly<Record<number, string>> = { ...IRQ_NAMES, 0: "", 2: "timer" };

export function ioApicParts(board: Board): DevicePart[] {
  const { low, high, lines, select, id } = board.ioApic.save();
  return [
    {
      title: "",
      registers: [
        register("IOREGSEL", select, 2, "register that IOWIN shows"),
        register("IOAPICID", id, 8, `I/O APIC ${(id >>> 24) & 15}`),
        register("IOAPICVER", ((low.length - 1) << 16) | 0x11, 8, `version 11, ${low.length} inputs`),
        register("Lines", lines, 6, `high: ${numbers(lines)}`),
      ],
    },
    {
      title: "Redirection table",
      registers: Array.from(low, (entry, input) => {
        const name = INPUTS[input] ?? "";
        const where = (entry & 0x800) !== 0 ? "logical" : "physical";
        const trigger = (entry & 0x8000) !== 0 ? "level" : "edge";
        const polarity = (entry & 0x2000) !== 0 ? "active low" : "active high";
        const serving = (entry & 0x4000) !== 0 ? ", being served" : "";
        return register(
          `IOREDTBL${input}${name === "" ? "" : ` (${name})`}`,
          entry,
          8,
          `${entryText(entry)}, ${trigger}, ${polarity}, to ${where} ${hex(high[input]! >>> 24, 2)}${serving}`,
        );
      }),
    },
  ];
}

export function ioApicSummary(board: Board): string {
  const { low, lines } = board.ioApic.save();
  let open = 0;
  low.forEach((entry, input) => {
    if ((entry & 0x10000) === 0) open |= 1 << input;
  });
  return `unmasked inputs: ${numbers(open)}; high: ${numbers(lines)}`;
}
