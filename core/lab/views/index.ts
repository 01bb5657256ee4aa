/**
 * The views by kind: one maker each.
 */
import type { LabContext } from "../context.ts";
import type { ViewRequest } from "../protocol/index.ts";
import { openAddressSpace } from "./address-space.ts";
import { openCpu } from "./cpu.ts";
import { openDevices } from "./devices.ts";
import { openDisassembly } from "./disassembly.ts";
import { openEvents } from "./events.ts";
import { openMemory } from "./memory.ts";
import { openScreen } from "./screen.ts";
import { openShadowPage, openShadowPages } from "./shadow-pages.ts";
import { openAudit, openConsole, openCounters, openExperiment, openExperimentResult } from "./small.ts";
import { openCompare, openScenario } from "./stories.ts";
import { openTable } from "./table.ts";
import type { View } from "./view.ts";
import { openWalk } from "./walk.ts";

export type { View } from "./view.ts";

/** Opens a view. @throws LabError when the request cannot be answered */
export function openView(lab: LabContext, request: ViewRequest): View {
  switch (request.kind) {
    case "memory":
      return openMemory(lab, request);
    case "cpu":
      return openCpu(lab);
    case "disassembly":
      return openDisassembly(lab, request);
    case "shadowPages":
      return openShadowPages(lab);
    case "shadowPage":
      return openShadowPage(lab, request);
    case "table":
      return openTable(lab, request);
    case "walk":
      return openWalk(lab, request);
    case "addressSpace":
      return openAddressSpace(lab);
    case "events":
      return openEvents(lab, request);
    case "counters":
      return openCounters(lab);
    case "console":
      return openConsole(lab);
    case "audit":
      return openAudit(lab);
    case "screen":
      return openScreen(lab);
    case "devices":
      return openDevices(lab, request);
    case "experiment":
      return openExperiment(lab);
    case "experimentResult":
      return openExperimentResult(lab);
    case "scenario":
      return openScenario(lab);
    case "compare":
      return openCompare(lab, request);
  }
}
