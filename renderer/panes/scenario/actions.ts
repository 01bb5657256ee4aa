/** What a person can do with scenarios: each a registered command, in the menu and the palette. */
import type { Action } from "../../actions.ts";
import { lab } from "../../lab.svelte.ts";
import { navigation } from "../../navigate.svelte.ts";
import { toasts } from "../../toasts.svelte.ts";

const there = () => lab.status !== null && lab.crash === null;

export async function openScenario(id: string, policy?: string): Promise<void> {
  const opened = await lab.try({
    name: "openScenario",
    id,
    ...(policy === undefined ? {} : { policy }),
  });
  if (opened !== undefined) navigation.showPane("scenario");
}

async function openFile(): Promise<void> {
  let title = "";
  try {
    const file = await lab.bridge.openScenarioFile();
    if (file === null) return;
    ({ title } = file);
    await lab.command({ name: "openScenario", text: new TextDecoder().decode(file.bytes) });
    navigation.showPane("scenario");
  } catch (reason) {
    const what = reason instanceof Error ? reason.message : String(reason);
    toasts.error(title === "" ? what : `The scenario ${title} cannot be opened:\n${what}`);
  }
}

export const scenarioActions: readonly Action[] = [
  {
    id: "scenarios",
    title: "Scenarios…",
    group: "File",
    key: "",
    help: "The library: experiments that predict and check",
    when: there,
    separator: true,
    run: () => navigation.showPane("scenario"),
  },
  {
    id: "open-scenario",
    title: "Open scenario file…",
    group: "File",
    key: "",
    help: "A document that sets a machine up, predicts and checks (docs/scenarios.md)",
    when: there,
    run: openFile,
  },
  {
    id: "scenario-next",
    title: "Scenario: next step",
    group: "Machine",
    key: "Ctrl+F9",
    help: "Carry out the next step of the open scenario and judge its predictions",
    when: there,
    separator: true,
    run: () => void lab.try({ name: "scenarioStep", all: false }),
  },
  {
    id: "scenario-all",
    title: "Scenario: run all steps",
    group: "Machine",
    key: "Ctrl+Shift+F9",
    when: there,
    run: () => void lab.try({ name: "scenarioStep", all: true }),
  },
  {
    id: "scenario-reset",
    title: "Scenario: back to its beginning",
    group: "Machine",
    key: "",
    when: there,
    run: () => void lab.try({ name: "scenarioReset" }),
  },
];
