// Keys and actions: one list, where a pane's own key comes first and only while the keyboard is in it.
import { beforeAll, describe, expect, it } from "vitest";
import { actions, staysInField } from "../../../renderer/actions.ts";

let enabled = true;
beforeAll(() => {
  const run = () => {};
  actions.register([
    { id: "everywhere", title: "Everywhere", group: "Go", key: "Ctrl+G", run },
    {
      id: "in-memory",
      title: "In memory",
      group: "Edit",
      key: "Ctrl+G",
      pane: "memory",
      when: () => enabled,
      run,
    },
    { id: "copy", title: "Copy", group: "Edit", key: "Ctrl+C", pane: "memory", native: true, run },
    { id: "run", title: "Run", group: "Machine", key: "F5", when: () => !enabled, run },
    { id: "pause", title: "Pause", group: "Machine", key: "F5", when: () => enabled, run },
  ]);
});

describe("the action of a key", () => {
  it("is the pane's own where the keyboard is in it", () => {
    enabled = true;
    expect(actions.ofKey("Ctrl+G", "memory").action?.id).toBe("in-memory");
    expect(actions.ofKey("Ctrl+G", "table").action?.id).toBe("everywhere");
    expect(actions.ofKey("Ctrl+G", undefined).action?.id).toBe("everywhere");
  });
  it("falls to the window's when the pane's cannot run now", () => {
    enabled = false;
    expect(actions.ofKey("Ctrl+G", "memory").action?.id).toBe("everywhere");
  });
  it("is left to the pane or the browser when it is native", () => {
    expect(actions.ofKey("Ctrl+C", "memory")).toEqual({ action: undefined, taken: false });
    expect(actions.ofKey("Ctrl+C", undefined)).toEqual({ action: undefined, taken: false });
  });
  it("is the one of several that can run", () => {
    enabled = true;
    expect(actions.ofKey("F5", undefined).action?.id).toBe("pause");
    enabled = false;
    expect(actions.ofKey("F5", undefined).action?.id).toBe("run");
    expect(actions.ofKey("F4", undefined)).toEqual({ action: undefined, taken: false });
  });
  it("refuses a second action of the same name", () => {
    const again = () => actions.register([{ id: "run", title: "", group: "Go", key: "", run: () => {} }]);
    expect(again).toThrow("two actions are called run");
  });
});

describe("a key in a text field", () => {
  it("edits the text when it is one of those that do, alone or with Ctrl", () => {
    for (const key of ["A", "7", "Enter", "Escape", "Backspace", "Shift+ArrowLeft", "Tab", "Home"])
      expect(staysInField(key), key).toBe(true);
    for (const key of ["Ctrl+A", "Ctrl+C", "Ctrl+V", "Ctrl+X", "Ctrl+Z", "Ctrl+Y", "Ctrl+Shift+Z"])
      expect(staysInField(key), key).toBe(true);
    for (const key of ["Ctrl+ArrowLeft", "Ctrl+Shift+ArrowRight", "Ctrl+Backspace", "Ctrl+Home"])
      expect(staysInField(key), key).toBe(true);
  });
  it("means what it always means otherwise", () => {
    for (const key of ["F5", "F10", "Shift+F11", "Ctrl+K", "Ctrl+Shift+P", "Ctrl+G", "Alt+2", "Ctrl+]"])
      expect(staysInField(key), key).toBe(false);
  });
});
