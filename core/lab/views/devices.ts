/**
 * The devices view: every device of a PC in a line, and the registers of those that are open. It peeks: what reading a
 * port would change (a latch, a flag, an interrupt) stays as it is.
 */
import type { Machine } from "../../machine/machine.ts";
import type { Pc } from "../../machine/pc.ts";
import type { LabContext } from "../context.ts";
import { LabError } from "../error.ts";
import type { DeviceInfo, DevicePart, DevicesView, ViewRequest } from "../protocol/index.ts";
import {
  controlParts,
  controlSummary,
  diagnosticParts,
  diagnosticSummary,
  pciParts,
  pciSummary,
} from "./devices/board.ts";
import {
  apicParts,
  apicSummary,
  ioApicParts,
  ioApicSummary,
  picParts,
  picSummary,
} from "./devices/interrupts.ts";
import {
  com1Parts,
  com1Summary,
  com2Parts,
  com2Summary,
  keyboardParts,
  keyboardSummary,
} from "./devices/lines.ts";
import { ataParts, ataSummary, driveInfos, floppyParts, floppySummary } from "./devices/storage.ts";
import { pitParts, pitSummary, rtcParts, rtcSummary } from "./devices/timers.ts";
import { vgaParts, vgaSummary } from "./devices/video.ts";
import type { View } from "./view.ts";

type Request = Extract<ViewRequest, { kind: "devices" }>;

interface Device {
  readonly id: string;
  readonly title: string;
  readonly where: string;
  summary(pc: Pc, machine: Machine): string;
  parts(pc: Pc, machine: Machine): DevicePart[];
}

const DEVICES: readonly Device[] = [
  {
    id: "pic",
    title: "8259A interrupt controllers",
    where: "ports 20, 21, A0, A1, 4D0, 4D1",
    summary: ({ board }) => picSummary(board),
    parts: ({ board }) => picParts(board),
  },
  {
    id: "apic",
    title: "Local APIC",
    where: "FEE00000",
    summary: ({ board }) => apicSummary(board),
    parts: ({ board }) => apicParts(board),
  },
  {
    id: "ioapic",
    title: "82093AA I/O APIC",
    where: "FEC00000",
    summary: ({ board }) => ioApicSummary(board),
    parts: ({ board }) => ioApicParts(board),
  },
  {
    id: "pit",
    title: "8254 timer",
    where: "ports 40 to 43, 61; IRQ 0",
    summary: ({ board }) => pitSummary(board),
    parts: ({ board }, machine) => pitParts(board, machine.time),
  },
  {
    id: "rtc",
    title: "MC146818 clock and CMOS",
    where: "ports 70, 71; IRQ 8",
    summary: ({ board }, machine) => rtcSummary(board, machine.time),
    parts: ({ board }, machine) => rtcParts(board, machine.time),
  },
  {
    id: "keyboard",
    title: "8042 and keyboard",
    where: "ports 60, 64; IRQ 1",
    summary: ({ board }) => keyboardSummary(board),
    parts: ({ board }) => keyboardParts(board),
  },
  {
    id: "ata",
    title: "ATA channel and disks",
    where: "ports 1F0 to 1F7, 3F6; IRQ 14",
    summary: ({ board }) => ataSummary(board),
    parts: ({ board }) => ataParts(board),
  },
  {
    id: "floppy",
    title: "Floppy drive",
    where: "ports 520, 521 (Quadrant's own)",
    summary: ({ board }) => floppySummary(board),
    parts: ({ board }) => floppyParts(board),
  },
  {
    id: "com1",
    title: "COM1, 16550",
    where: "ports 3F8 to 3FF; IRQ 4",
    summary: (_pc, { serial }) => com1Summary(serial),
    parts: (_pc, { serial }) => com1Parts(serial),
  },
  {
    id: "com2",
    title: "COM2, 16550A",
    where: "ports 2F8 to 2FF; IRQ 3",
    summary: ({ board }) => com2Summary(board),
    parts: ({ board }) => com2Parts(board),
  },
  {
    id: "vga",
    title: "VGA",
    where: "ports 3C0 to 3DF; text at B8000",
    summary: ({ board }) => vgaSummary(board),
    parts: ({ board }) => vgaParts(board),
  },
  { id: "pci", title: "PCI", where: "ports CF8, CFC", summary: pciSummary, parts: pciParts },
  {
    id: "control",
    title: "A20, reset, interrupt lines",
    where: "ports 92, CF9, F0",
    summary: controlSummary,
    parts: controlParts,
  },
  {
    id: "diagnostics",
    title: "POST, debug console, debug exit",
    where: "ports 80, E9, F4",
    summary: diagnosticSummary,
    parts: diagnosticParts,
  },
];

/** Ids of the devices that can be opened. */
export const DEVICE_IDS = DEVICES.map(({ id }) => id);

export function openDevices(lab: LabContext, request: Request): View {
  const unknown = request.open.find((id) => !DEVICE_IDS.includes(id));
  if (unknown !== undefined)
    throw new LabError(`there is no device "${unknown}"; there are ${DEVICE_IDS.join(", ")}`);
  const open = new Set(request.open);
  let told = "";
  return {
    calm: "whole",
    collect(): DevicesView | null {
      const data = devicesOf(lab.machine, open);
      const text = JSON.stringify(data);
      if (text === told) return null;
      told = text;
      return data;
    },
  };
}

export function devicesOf(machine: Machine, open: ReadonlySet<string>): DevicesView {
  const { pc } = machine;
  if (pc === null) return { kind: "devices", devices: null, drives: [] };
  const devices = DEVICES.map(
    ({ id, title, where, summary, parts }): DeviceInfo => ({
      id,
      title,
      where,
      summary: summary(pc, machine),
      parts: open.has(id) ? parts(pc, machine) : [],
    }),
  );
  return { kind: "devices", devices, drives: driveInfos(pc.board) };
}
