/**
 * What a person can do in the memory editor, as actions of the one list: the menu, the palette and the keys read them.
 * The pane that stands in the dock says how; an action that is chosen elsewhere brings it to the front first.
 */
import { type Action, actions } from "../../actions.ts";
import { navigation } from "../../navigate.svelte.ts";

/** What the pane can be told. */
export interface MemoryCommands {
  readonly canUndo: () => boolean;
  readonly canRedo: () => boolean;
  readonly undo: () => void;
  readonly redo: () => void;
  readonly find: () => void;
  readonly go: () => void;
  readonly copy: () => void;
  readonly selectPage: () => void;
  readonly space: (space: "gva" | "gpa" | "hpa") => void;
  readonly openTable: () => void;
}

let current: MemoryCommands | null = null;

/** The pane puts itself here while it stands; answers what takes it back. */
export function provideMemory(commands: MemoryCommands): () => void {
  current = commands;
  return () => {
    if (current === commands) current = null;
  };
}

const tell = (what: (commands: MemoryCommands) => void) => () => {
  navigation.showPane("memory");
  // A pane that was closed stands in the next frame.
  requestAnimationFrame(() => {
    if (current !== null) what(current);
  });
};
const base = { group: "Edit", pane: "memory" } as const;

const list: readonly Action[] = [
  {
    ...base,
    id: "memory-undo",
    title: "Undo memory edit",
    key: "Ctrl+Z",
    help: "By the opposite edit, through the same door",
    when: () => current?.canUndo() ?? false,
    run: tell((memory) => memory.undo()),
  },
  {
    ...base,
    id: "memory-redo",
    title: "Redo memory edit",
    key: "Ctrl+Y",
    when: () => current?.canRedo() ?? false,
    run: tell((memory) => memory.redo()),
  },
  {
    ...base,
    id: "memory-copy",
    title: "Copy bytes",
    key: "Ctrl+C",
    help: "The selected bytes of the memory editor, as hex or as text",
    native: true,
    separator: true,
    run: tell((memory) => memory.copy()),
  },
  {
    ...base,
    id: "memory-select-page",
    title: "Select the page",
    key: "Ctrl+A",
    help: "The 4 KiB around the cursor of the memory editor",
    run: tell((memory) => memory.selectPage()),
  },
  {
    ...base,
    id: "memory-find",
    title: "Find in memory…",
    key: "Ctrl+F",
    help: "Bytes or text, forwards and backwards",
    separator: true,
    run: tell((memory) => memory.find()),
  },
  {
    ...base,
    id: "memory-go",
    title: "Go to address in memory",
    key: "Ctrl+G",
    help: "A hex address, a register, gfn:1234, or a sum of these",
    run: tell((memory) => memory.go()),
  },
  {
    ...base,
    id: "memory-table",
    title: "Open the table or shadow page at the cursor",
    key: "Enter",
    native: true,
    paletteOnly: true,
    run: tell((memory) => memory.openTable()),
  },
  ...(["gva", "gpa", "hpa"] as const).map(
    (space, i): Action => ({
      ...base,
      id: `memory-${space}`,
      title: `Memory: ${["guest-virtual", "guest-physical", "host-physical"][i]} space`,
      key: `Ctrl+${i + 1}`,
      separator: i === 0,
      run: tell((memory) => memory.space(space)),
    }),
  ),
];

actions.register(list);
