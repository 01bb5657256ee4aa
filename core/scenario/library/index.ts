/**
 * The built-in scenarios, in the order in which they are listed: the commit first.
 */
import { type Parsed, parseScenario, type Scenario } from "../parse.ts";
import accessedAndDirty from "./accessed-and-dirty.jsonc?raw";
import aliases from "./aliases.jsonc?raw";
import copyOnWrite from "./copy-on-write.jsonc?raw";
import demandPaging from "./demand-paging.jsonc?raw";
import dmaIntoTable from "./dma-into-table.jsonc?raw";
import floodDetector from "./flood-detector.jsonc?raw";
import floodFalseAlarm from "./flood-false-alarm.jsonc?raw";
import forgottenInvlpg from "./forgotten-invlpg.jsonc?raw";
import forkStorm from "./fork-storm.jsonc?raw";
import globalPages from "./global-pages.jsonc?raw";
import largePageSplit from "./large-page-split.jsonc?raw";
import misalignedWrites from "./misaligned-writes.jsonc?raw";
import nestedDma from "./nested-dma.jsonc?raw";
import nestedWalk from "./nested-walk.jsonc?raw";
import nestedWalkCache from "./nested-walk-cache.jsonc?raw";
import noMemory from "./no-memory.jsonc?raw";
import paeHalves from "./pae-halves.jsonc?raw";
import pde2620 from "./pde-2620.jsonc?raw";
import pdpteReload from "./pdpte-reload.jsonc?raw";
import poolExhaustion from "./pool-exhaustion.jsonc?raw";
import pse36 from "./pse-36.jsonc?raw";
import rootZappedInUse from "./root-zapped-in-use.jsonc?raw";
import roundingFix from "./rounding-fix.jsonc?raw";
import seedDirectory from "./seed-directory.jsonc?raw";
import seedPageTable from "./seed-page-table.jsonc?raw";
import selfMapped from "./self-mapped.jsonc?raw";
import sharedTableRights from "./shared-table-rights.jsonc?raw";
import storyOfTheCommit from "./story-of-the-commit.jsonc?raw";
import tableTurnedData from "./table-turned-data.jsonc?raw";
import unsyncLifeCycle from "./unsync-life-cycle.jsonc?raw";
import unsyncQuadrants from "./unsync-quadrants.jsonc?raw";
import wp0KernelWrite from "./wp0-kernel-write.jsonc?raw";

const TEXTS: readonly string[] = [
  seedPageTable,
  seedDirectory,
  storyOfTheCommit,
  pde2620,
  roundingFix,
  misalignedWrites,
  floodDetector,
  floodFalseAlarm,
  forkStorm,
  copyOnWrite,
  demandPaging,
  accessedAndDirty,
  largePageSplit,
  pse36,
  selfMapped,
  tableTurnedData,
  aliases,
  wp0KernelWrite,
  pdpteReload,
  globalPages,
  forgottenInvlpg,
  poolExhaustion,
  rootZappedInUse,
  unsyncQuadrants,
  unsyncLifeCycle,
  dmaIntoTable,
  sharedTableRights,
  paeHalves,
  noMemory,
  nestedWalk,
  nestedWalkCache,
  nestedDma,
];

export interface LibraryEntry {
  readonly id: string;
  readonly title: string;
  readonly summary: string;
  readonly text: string;
  readonly scenario: Scenario;
}

let entries: readonly LibraryEntry[] | null = null;

/** All of them, parsed at the first call. */
export function library(): readonly LibraryEntry[] {
  entries ??= TEXTS.map((text) => {
    const scenario = expectGood(parseScenario(text));
    const { id, summary, title } = scenario.document;
    return { id: id ?? title, title, summary: summary ?? "", text, scenario };
  });
  return entries;
}

export const findScenario = (id: string): LibraryEntry | undefined =>
  library().find((entry) => entry.id === id);

function expectGood(parsed: Parsed): Scenario {
  if (parsed.ok) return parsed.scenario;
  const [first] = parsed.mistakes;
  throw new Error(`a built-in scenario is damaged: line ${first?.line}: ${first?.message}`);
}
