/**
 * What the window may ask of the main process besides the machine: files, the menu's items, gdb's door, a new host.
 * One schema each; everything else is refused in words.
 */
import * as v from "valibot";

const text = (what: string, most: number) =>
  v.pipe(v.string(`${what} must be text`), v.maxLength(most, `${what} is longer than ${most} characters`));

/** Electron's accelerators, as far as the window's commands use them. */
const KEY =
  /^((Ctrl|Alt|Shift|Meta)\+)*([A-Z0-9]|F([1-9]|1[0-9]|2[0-4])|Space|Tab|Enter|Escape|Delete|Insert|Home|End|PageUp|PageDown|Up|Down|Left|Right|[,.;'[\]\\/`=?-])$/;

/** A key as a page names it ("Ctrl+Shift+P", "Alt+ArrowLeft") in Electron's words, or null when Electron has none. */
export function acceleratorOf(key: string): string | null {
  const accelerator = key.replace(/Arrow(?=(Up|Down|Left|Right)$)/, "");
  return KEY.test(accelerator) ? accelerator : null;
}

const MenuItem = v.strictObject({
  id: v.pipe(text("a menu item's id", 100), v.minLength(1, "a menu item needs an id")),
  title: v.pipe(text("a menu item's title", 200), v.minLength(1, "a menu item needs a title")),
  menu: v.picklist(
    ["File", "Edit", "Machine", "View", "Help"],
    "a menu item's menu is File, Edit, Machine, View or Help",
  ),
  key: text("a menu item's key", 60),
  enabled: v.boolean("a menu item's enabled is true or false"),
  checked: v.optional(v.boolean("a menu item's checked is true or false")),
  separator: v.optional(v.boolean("a menu item's separator is true or false")),
});
export type MenuItem = v.InferOutput<typeof MenuItem>;

export const AppRequest = v.variant(
  "name",
  [
    v.strictObject({
      name: v.literal("open"),
      kind: v.picklist(
        ["image", "medium", "machine", "scenario"],
        "an image, a medium, a machine or a scenario can be opened",
      ),
    }),
    v.strictObject({
      name: v.literal("link"),
      /** Opened in the person's browser when they say yes. */
      url: v.pipe(text("a link", 2000), v.regex(/^https:\/\/[^\s"<>\\]+$/, "a link is an https address")),
    }),
    v.strictObject({
      name: v.literal("save"),
      /** The file's proposed name, without a folder. */
      file: v.pipe(
        text("a file's name", 200),
        v.regex(/^[^/\\\0]+$/, "a file's name must not be empty or name a folder"),
      ),
      bytes: v.instance(Uint8Array, "expected bytes (Uint8Array)"),
    }),
    v.strictObject({
      name: v.literal("menu"),
      items: v.pipe(
        v.array(MenuItem, "a menu is a list of items"),
        v.maxLength(500, "a menu has at most 500 items"),
      ),
    }),
    v.strictObject({
      name: v.literal("gdb"),
      /** Where gdb may attach, on this computer alone; 0: any free port. Null: nowhere. */
      port: v.nullable(
        v.pipe(
          v.number("a port is a number"),
          v.integer("a port is a whole number"),
          v.minValue(0, "a port is a number from 0 to 65535"),
          v.maxValue(65535, "a port is a number from 0 to 65535"),
        ),
      ),
    }),
    v.strictObject({ name: v.literal("restartHost") }),
  ],
  (issue) => `unknown request ${issue.received}`,
);
export type AppRequest = v.InferOutput<typeof AppRequest>;

/** The request, or the sentence that says what is wrong with it. */
export function parseAppRequest(
  data: unknown,
): { ok: true; request: AppRequest } | { ok: false; error: string } {
  const result = v.safeParse(AppRequest, data);
  if (result.success) return { ok: true, request: result.output };
  const issue = result.issues[0];
  const path = v.getDotPath(issue);
  return { ok: false, error: path === null ? issue.message : `${path}: ${issue.message}` };
}
