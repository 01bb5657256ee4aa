/**
 * The shell's actions: the machine's, the window's, the places'. Panes may register their own beside them.
 */
import { EVENT_KINDS } from "../../core/lab/protocol/index.ts";
import { type Action, actions } from "../actions.ts";
import { lab } from "../lab.svelte.ts";
import { navigation } from "../navigate.svelte.ts";
import { compareActions } from "../panes/compare/actions.ts";
import { traceActions } from "../panes/events/actions.ts";
import { PANES } from "../panes/index.ts";
import { scenarioActions } from "../panes/scenario/actions.ts";
import { settings } from "../settings.svelte.ts";
import { toasts } from "../toasts.svelte.ts";
import { dock } from "./dock.svelte.ts";
import { LAYOUTS } from "./layouts.ts";
import { ended, held } from "./machine.ts";
import { ui } from "./ui.svelte.ts";

const there = () => lab.status !== null && lab.crash === null;
/** Nobody else moves the machine. */
const ours = () => there() && !held(lab.status!);
const still = () => ours() && !lab.status!.running && !ended(lab.status!);

async function openImage(): Promise<void> {
  try {
    const file = await lab.bridge.openImageFile();
    if (file !== null) ui.open({ kind: "open-image", file });
  } catch (reason) {
    toasts.error(reason);
  }
}

async function openMachine(): Promise<void> {
  try {
    const file = await lab.bridge.openMachineFile();
    if (file === null) return;
    await lab.command({ name: "openMachine", bytes: new Uint8Array(file.bytes) });
    toasts.show("ok", `${file.title} is open.`);
  } catch (reason) {
    toasts.error(reason);
  }
}

async function saveMachine(): Promise<void> {
  try {
    const bytes = await lab.command({ name: "saveMachine" });
    const name = `${(lab.status?.title ?? "machine").replace(/[^\w.-]+/g, "-")}.quadrant`;
    if (await lab.bridge.saveFile(name, bytes)) toasts.show("ok", "The machine is saved.");
  } catch (reason) {
    toasts.error(reason);
  }
}

async function auditNow(): Promise<void> {
  const report = await lab.try({ name: "audit" });
  if (report === undefined) return;
  dock.show("audit", false);
  // Violations are there to read in the pane; that there are none is worth a word.
  if (report.violations.length === 0) toasts.show("ok", `${report.checked.length} invariants hold.`);
}

const WAITS = ["pte_write", "pf_fixed", "pf_guest", "zap_page", "cr_write", "finding"];

const machine: readonly Action[] = [
  {
    id: "run",
    title: "Run",
    group: "Machine",
    key: "F5",
    help: "At full speed until something stops it",
    when: still,
    run: () => void lab.try({ name: "run" }),
  },
  {
    id: "pause",
    title: "Pause",
    group: "Machine",
    key: "F5",
    when: () => there() && lab.status!.running,
    run: () => void lab.try({ name: "pause" }),
  },
  {
    id: "step",
    title: "Step one instruction",
    group: "Machine",
    key: "F10",
    when: still,
    run: () => void lab.try({ name: "step", count: 1 }),
  },
  {
    id: "step-100",
    title: "Step 100 instructions",
    group: "Machine",
    key: "Shift+F10",
    when: still,
    run: () => void lab.try({ name: "step", count: 100 }),
  },
  {
    id: "run-to",
    title: "Run to…",
    group: "Machine",
    key: "Ctrl+F10",
    help: "An address, or the next event of a kind",
    when: still,
    run: () => ui.open({ kind: "run-to" }),
  },
  ...WAITS.map((name): Action => {
    const kind = EVENT_KINDS.find((other) => other.name === name)!;
    return {
      id: `run-to-${name}`,
      title: `Run to the next ${name}`,
      group: "Machine",
      key: name === "pte_write" ? "F8" : "",
      help: kind.help,
      when: still,
      paletteOnly: name !== "pte_write",
      run: () => void lab.try({ name: "runToEvent", kinds: [name] }),
    };
  }),
  {
    id: "reset",
    title: "Reset",
    group: "Machine",
    key: "Ctrl+Shift+F5",
    help: "Start the guest again from its beginning",
    when: ours,
    separator: true,
    run: () => void lab.try({ name: "reset" }),
  },
  {
    id: "audit",
    title: "Audit the shadow now",
    group: "Machine",
    key: "F7",
    when: there,
    separator: true,
    run: auditNow,
  },
  {
    id: "trace",
    title: "Record events",
    group: "Machine",
    key: "",
    when: there,
    checked: () => lab.status?.traceOn ?? false,
    run: () => void lab.try({ name: "setTrace", on: !(lab.status?.traceOn ?? false) }),
  },
  {
    id: "gdb",
    title: "Allow gdb to attach…",
    group: "Machine",
    key: "",
    help: "A port of this computer at which gdb may move this machine",
    when: there,
    checked: () => (lab.status?.debugger ?? null) !== null,
    separator: true,
    run: () => ui.open({ kind: "gdb" }),
  },
];

const files: readonly Action[] = [
  {
    id: "open-image",
    title: "Open image…",
    group: "File",
    key: "Ctrl+O",
    help: "Flat, ELF, multiboot, Linux, boot sector, disk or ROM",
    when: ours,
    run: openImage,
  },
  {
    id: "open-machine",
    title: "Open machine…",
    group: "File",
    key: "Ctrl+Shift+O",
    when: ours,
    separator: true,
    run: openMachine,
  },
  { id: "save-machine", title: "Save machine…", group: "File", key: "Ctrl+S", when: there, run: saveMachine },
];

const places: readonly Action[] = [
  {
    id: "palette",
    title: "Commands…",
    group: "View",
    key: "Ctrl+K",
    run: () => ui.open({ kind: "palette" }),
  },
  {
    id: "go-to",
    title: "Go to…",
    group: "Go",
    key: "Ctrl+G",
    help: "An address in any space, code, a walk, a table",
    run: () => ui.open({ kind: "go-to" }),
  },
  {
    id: "back",
    title: "Back",
    group: "Go",
    key: "Alt+ArrowLeft",
    help: "To where you looked before",
    when: () => navigation.canGoBack,
    run: () => navigation.back(),
  },
  {
    id: "forward",
    title: "Forward",
    group: "Go",
    key: "Alt+ArrowRight",
    when: () => navigation.canGoForward,
    run: () => navigation.forward(),
  },
  { id: "go-eip", title: "Code at EIP", group: "Go", key: "", run: () => navigation.showCode(null) },
  {
    id: "go-last-write",
    title: "Table of the last write",
    group: "Go",
    key: "",
    help: "The Table pane follows pte_write again",
    run: () => navigation.showTable(null),
  },
  {
    id: "go-cr2",
    title: "Walk the current EIP",
    group: "Go",
    key: "",
    run: () => navigation.showWalk(lab.status?.linearIp ?? 0, "fetch", lab.status?.cpl === 3),
  },
];

const view = (): readonly Action[] => [
  ...PANES.map(
    (pane): Action => ({
      id: `pane-${pane.id}`,
      title: `Show ${pane.title}`,
      group: "View",
      key: pane.key,
      help: pane.help,
      separator: pane === PANES[0],
      run: () => dock.show(pane.id, true),
    }),
  ),
  ...(["learn", "inspect"] as const).map(
    (id, index): Action => ({
      id: `layout-${id}`,
      title: `Layout: ${LAYOUTS[id].title}`,
      group: "View",
      key: "",
      help: LAYOUTS[id].help,
      checked: () => settings.layout === id,
      separator: index === 0,
      run: () => dock.choose(id),
    }),
  ),
  {
    id: "layout-reset",
    title: "Reset layout",
    group: "View",
    key: "",
    help: "Panes back to where they were at first",
    run: () => dock.reset(),
  },
  {
    id: "maximize",
    title: "Maximise pane",
    group: "View",
    key: "Ctrl+M",
    checked: () => dock.maximized,
    run: () => dock.toggleMaximized(),
  },
  { id: "next-group", title: "Next group of panes", group: "View", key: "F6", run: () => dock.focusGroup(1) },
  {
    id: "previous-group",
    title: "Previous group of panes",
    group: "View",
    key: "Shift+F6",
    paletteOnly: true,
    run: () => dock.focusGroup(-1),
  },
  {
    id: "next-tab",
    title: "Next tab of the group",
    group: "View",
    key: "Ctrl+]",
    run: () => dock.focusTab(1),
  },
  {
    id: "previous-tab",
    title: "Previous tab of the group",
    group: "View",
    key: "Ctrl+[",
    paletteOnly: true,
    run: () => dock.focusTab(-1),
  },
  {
    id: "close-pane",
    title: "Close pane",
    group: "View",
    key: "",
    help: "The active one; its command brings it back",
    when: () => dock.open.length > 1,
    run: () => dock.closeActive(),
  },
  {
    id: "theme",
    title: "Switch between dark and light",
    group: "View",
    key: "Ctrl+Shift+L",
    separator: true,
    run: () => settings.setTheme(isDark() ? "light" : "dark"),
  },
  {
    id: "settings",
    title: "Settings…",
    group: "View",
    key: "Ctrl+,",
    help: "Theme, audit, trace",
    run: () => ui.open({ kind: "settings" }),
  },
  {
    id: "words",
    title: "Words",
    group: "Help",
    key: "",
    help: "gfn, spte, quadrant, zap and the others, in a sentence each",
    run: () => ui.open({ kind: "words" }),
  },
  { id: "help", title: "Keys and colours", group: "Help", key: "?", run: () => ui.open({ kind: "help" }) },
  {
    id: "introduction",
    title: "Introduction to this guest",
    group: "Help",
    key: "",
    when: () => (lab.status?.introduction.length ?? 0) > 0,
    run: () => settings.recallIntroduction(lab.status?.title ?? ""),
  },
];

export function isDark(): boolean {
  if (settings.theme !== "system") return settings.theme === "dark";
  return !matchMedia("(prefers-color-scheme: light)").matches;
}

let registered = false;

/** Puts the shell's actions into the registry, once, ahead of the panes' own: menus and palette begin with Run. */
export function registerShell(): void {
  if (registered) return;
  registered = true;
  actions.register(
    [...machine, ...compareActions, ...places, ...files, ...traceActions, ...scenarioActions, ...view()],
    true,
  );
}
