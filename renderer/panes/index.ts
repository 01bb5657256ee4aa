/**
 * The list of panes: id, title, what it is for, its component. The dock, the View menu and the palette read it.
 * A pane is a folder of its own and knows nothing of the others; it opens its views with `useView`.
 */
import type { Component } from "svelte";
import AddressSpacePane from "./address-space/AddressSpacePane.svelte";
import AuditPane from "./audit/AuditPane.svelte";
import CodePane from "./code/CodePane.svelte";
import ComparePane from "./compare/ComparePane.svelte";
import ConsolePane from "./console/ConsolePane.svelte";
import CountersPane from "./counters/CountersPane.svelte";
import DevicesPane from "./devices/DevicesPane.svelte";
import EventsPane from "./events/EventsPane.svelte";
import ExperimentsPane from "./experiments/ExperimentsPane.svelte";
import MemoryPane from "./memory/MemoryPane.svelte";
import ProcessorPane from "./processor/ProcessorPane.svelte";
import ScenarioPane from "./scenario/ScenarioPane.svelte";
import ScreenPane from "./screen/ScreenPane.svelte";
import ShadowPane from "./shadow/ShadowPane.svelte";
import TablePane from "./table/TablePane.svelte";
import WalkPane from "./walk/WalkPane.svelte";

export interface Pane {
  readonly id: string;
  readonly title: string;
  /** One line, for the palette. */
  readonly help: string;
  readonly component: Component;
  /** Chosen from the keyboard as Alt+digit; empty for none. */
  readonly key: string;
}

export const PANES: readonly Pane[] = [
  {
    id: "table",
    title: "Table",
    help: "One guest table beside its shadow pages and host frames",
    component: TablePane,
    key: "Alt+1",
  },
  {
    id: "memory",
    title: "Memory",
    help: "Bytes of guest-virtual, guest-physical and host-physical space",
    component: MemoryPane,
    key: "Alt+2",
  },
  {
    id: "shadow",
    title: "Shadow",
    help: "All shadow pages, and the 512 sptes of one",
    component: ShadowPane,
    key: "Alt+3",
  },
  {
    id: "walk",
    title: "Walk",
    help: "One address translated step by step: guest, shadow, TLB",
    component: WalkPane,
    key: "Alt+4",
  },
  { id: "code", title: "Code", help: "Disassembly, following EIP", component: CodePane, key: "Alt+5" },
  {
    id: "processor",
    title: "Processor",
    help: "Registers, flags, control registers, segments",
    component: ProcessorPane,
    key: "Alt+6",
  },
  {
    id: "events",
    title: "Events",
    help: "What the machine and the hypervisor did, as it happens",
    component: EventsPane,
    key: "Alt+7",
  },
  { id: "console", title: "Console", help: "The guest's serial port", component: ConsolePane, key: "Alt+8" },
  {
    id: "address-space",
    title: "Address space",
    help: "The guest's tables and what they map",
    component: AddressSpacePane,
    key: "Alt+9",
  },
  {
    id: "screen",
    title: "Screen",
    help: "The text screen of a PC, and its keyboard",
    component: ScreenPane,
    key: "Alt+0",
  },
  {
    id: "devices",
    title: "Devices",
    help: "The registers of a PC's devices, with their bits in words",
    component: DevicesPane,
    key: "",
  },
  {
    id: "counters",
    title: "Counters",
    help: "KVM's counters, with what each counts",
    component: CountersPane,
    key: "",
  },
  {
    id: "audit",
    title: "Audit",
    help: "Invariants of the shadow, and what violates them",
    component: AuditPane,
    key: "",
  },
  {
    id: "scenario",
    title: "Scenario",
    help: "The library of experiments, and the steps and predictions of the one that is open",
    component: ScenarioPane,
    key: "",
  },
  {
    id: "compare",
    title: "Compare",
    help: "Two machines in lock-step under two policies: where, since when and why they part",
    component: ComparePane,
    key: "",
  },
  {
    id: "experiments",
    title: "Experiments",
    help: "What operations cost under each policy: counted, reckoned, drawn",
    component: ExperimentsPane,
    key: "",
  },
];
