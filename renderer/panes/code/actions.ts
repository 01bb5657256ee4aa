/** What a person can do at the cursor of the Code pane, as actions of the one list. */
import { type Action, actions } from "../../actions.ts";
import { navigation } from "../../navigate.svelte.ts";

/** What the pane can be told. */
export interface CodeCommands {
  readonly breakpoint: () => void;
  readonly runHere: () => void;
  readonly follow: () => void;
}

let current: CodeCommands | null = null;

/** The pane puts itself here while it stands; answers what takes it back. */
export function provideCode(commands: CodeCommands): () => void {
  current = commands;
  return () => {
    if (current === commands) current = null;
  };
}

const tell = (what: (commands: CodeCommands) => void) => () => {
  navigation.showPane("code");
  // A pane that was closed stands in the next frame.
  requestAnimationFrame(() => {
    if (current !== null) what(current);
  });
};
const base = { group: "Machine", pane: "code" } as const;

const list: readonly Action[] = [
  {
    ...base,
    id: "code-breakpoint",
    title: "Breakpoint at the code cursor",
    key: "F9",
    help: "Sets it, or takes it away",
    separator: true,
    run: tell((code) => code.breakpoint()),
  },
  {
    ...base,
    id: "code-run-here",
    title: "Run to the code cursor",
    key: "Ctrl+Enter",
    run: tell((code) => code.runHere()),
  },
  {
    ...base,
    id: "code-follow",
    title: "Let the code follow EIP",
    key: "Home",
    paletteOnly: true,
    run: tell((code) => code.follow()),
  },
];

actions.register(list);
