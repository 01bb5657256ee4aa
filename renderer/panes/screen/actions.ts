/** What a person can do with the guest's screen, and with its disks, as actions of the one list. */
import type { DriveInfo } from "../../../core/lab/protocol/index.ts";
import { type Action, actions } from "../../actions.ts";
import { lab } from "../../lab.svelte.ts";
import { navigation } from "../../navigate.svelte.ts";
import { toasts } from "../../toasts.svelte.ts";
import { chord } from "./scan-codes.ts";

/** What the pane can be told. */
export interface ScreenCommands {
  readonly focus: () => void;
  readonly type: () => void;
}

let current: ScreenCommands | null = null;

/** The pane puts itself here while it stands; answers what takes it back. */
export function provideScreen(commands: ScreenCommands): () => void {
  current = commands;
  return () => {
    if (current === commands) current = null;
  };
}

const tell = (what: (commands: ScreenCommands) => void) => () => {
  navigation.showPane("screen");
  // A pane that was closed stands in the next frame.
  requestAnimationFrame(() => {
    if (current !== null) what(current);
  });
};

export const isPc = (): boolean => lab.crash === null && (lab.status?.pc ?? null) !== null;

export function ctrlAltDelete(): void {
  void lab.try({ name: "keys", codes: Uint8Array.from(chord(["ControlLeft", "AltLeft", "Delete"])) });
}

/** Asks where to, and writes a drive's image with what the guest wrote over it. */
export async function saveDisk(drive: DriveInfo["drive"]): Promise<void> {
  try {
    const bytes = await lab.command({ name: "saveDisk", drive });
    const what = drive === "floppy" ? drive : `disk${drive}`;
    const name = `${(lab.status?.title ?? "disk").replace(/[^\w.-]+/g, "-")}-${what}.img`;
    if (await lab.bridge.saveFile(name, bytes))
      toasts.show("ok", drive === "floppy" ? "The floppy is saved." : `Drive ${drive} is saved.`);
  } catch (reason) {
    toasts.error(reason);
  }
}

const list: readonly Action[] = [
  {
    id: "screen-focus",
    title: "Type on the guest's screen",
    group: "Machine",
    key: "",
    help: "The keyboard goes to the guest, until left Ctrl and left Alt are pressed together",
    separator: true,
    when: isPc,
    run: tell((screen) => screen.focus()),
  },
  {
    id: "screen-type",
    title: "Type a text on the guest's keyboard…",
    group: "Machine",
    key: "",
    when: isPc,
    run: tell((screen) => screen.type()),
  },
  {
    id: "screen-ctrl-alt-delete",
    title: "Press Ctrl+Alt+Delete in the guest",
    group: "Machine",
    key: "",
    when: isPc,
    run: ctrlAltDelete,
  },
  ...([0, 1] as const).map(
    (drive): Action => ({
      id: `save-disk-${drive}`,
      title: `Save disk ${drive} as…`,
      group: "File",
      key: "",
      help: "The drive's image with what the guest has written; the file it came from stays as it was",
      separator: drive === 0,
      when: () => isPc() && (lab.status?.pc?.written[drive] ?? null) !== null,
      run: () => saveDisk(drive),
    }),
  ),
  {
    id: "save-floppy",
    title: "Save floppy as…",
    group: "File",
    key: "",
    help: "The floppy's image with what the guest has written; the file it came from stays as it was",
    when: () => isPc() && (lab.status?.pc?.floppyWritten ?? null) !== null,
    run: () => saveDisk("floppy"),
  },
];

actions.register(list);
