/** Requests to the main process: what fits, and the sentence for what does not. */
import { describe, expect, test } from "vitest";
import { fileOf } from "../../../electron/main/file-of.ts";
import { acceleratorOf, parseAppRequest } from "../../../electron/main/requests.ts";

describe("parseAppRequest", () => {
  test("takes what the preload script sends", () => {
    const requests = [
      { name: "open", kind: "image" },
      { name: "open", kind: "scenario" },
      { name: "open", kind: "medium" },
      { name: "link", url: "https://example.org/a?b=c#d" },
      { name: "save", file: "quadrant.quadrant", bytes: new Uint8Array(3) },
      { name: "menu", items: [{ id: "run", title: "Run", menu: "Machine", key: "F5", enabled: true }] },
      { name: "restartHost" },
      { name: "gdb", port: 1234 },
      { name: "gdb", port: null },
    ];
    for (const request of requests) expect(parseAppRequest(request)).toEqual({ ok: true, request });
  });

  test.each([
    [null, /./],
    [{ name: "quit" }, /unknown request/],
    [{ name: "open", kind: "folder" }, /an image, a medium, a machine or a scenario/],
    [{ name: "link", url: "http://example.org/" }, /a link is an https address/],
    [{ name: "link", url: "file:///etc/passwd" }, /a link is an https address/],
    [{ name: "link", url: "https://a b" }, /a link is an https address/],
    [{ name: "save", file: "../a", bytes: new Uint8Array(1) }, /must not be empty or name a folder/],
    [{ name: "save", file: "", bytes: new Uint8Array(1) }, /must not be empty/],
    [{ name: "save", file: "a", bytes: [1, 2] }, /expected bytes/],
    [{ name: "menu", items: [{ id: "", title: "x", menu: "File", key: "", enabled: true }] }, /needs an id/],
    [{ name: "menu", items: Array(501).fill(null) }, /./],
    [{ name: "restartHost", extra: 1 }, /extra/],
    [{ name: "gdb" }, /./],
    [{ name: "gdb", port: "1234" }, /a port is a number/],
    [{ name: "gdb", port: 65536 }, /from 0 to 65535/],
    [{ name: "gdb", port: 1.5 }, /a port is a whole number/],
    [{ name: "gdb", port: 1, host: "0.0.0.0" }, /host/],
  ])("refuses %j in words", (data, words) => {
    const answer = parseAppRequest(data);
    expect(answer.ok).toBe(false);
    if (!answer.ok) expect(answer.error).toMatch(words);
  });
});

test("acceleratorOf speaks Electron's words or none", () => {
  expect(acceleratorOf("F5")).toBe("F5");
  expect(acceleratorOf("Ctrl+Shift+O")).toBe("Ctrl+Shift+O");
  expect(acceleratorOf("Alt+ArrowLeft")).toBe("Alt+Left");
  expect(acceleratorOf("Ctrl+,")).toBe("Ctrl+,");
  expect(acceleratorOf("")).toBeNull();
  expect(acceleratorOf("Nonsense+X")).toBeNull();
});

test("fileOf stays in its folder", () => {
  expect(fileOf("/app/renderer", "/")).toBe("/app/renderer/index.html");
  expect(fileOf("/app/renderer", "/assets/a%20b.js")).toBe("/app/renderer/assets/a b.js");
  expect(fileOf("/app/renderer", "/..%2felectron/main.cjs")).toBeNull();
  expect(fileOf("/app/renderer", "/../renderer-other/x")).toBeNull();
  expect(fileOf("/app/renderer", "/%00")).toBeNull();
  expect(fileOf("/app/renderer", "/%")).toBeNull();
  expect(fileOf("/app/renderer", "/a\\b")).toBeNull();
});
