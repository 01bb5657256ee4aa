/** The import rules themselves: what they see, what they allow, what they forbid. */
import { describe, expect, test } from "vitest";
import { importsOf, judge } from "../../../build/lib/imports.mjs";

const one = (file: string, target: string, typeOnly = false) => judge({ file, line: 1, target, typeOnly });

describe("importsOf", () => {
  test("sees every way a module names another, and none in comments and strings", () => {
    const text = `import { a } from "./a.ts";
import type { B } from "./b.ts";
import { type C, type D } from "./c.ts";
export * from "./d.ts";
type E = import("./e.ts").E;
const f = await import("./f.ts");
const g = new URL("./g.ts", import.meta.url);
// import { x } from "./x.ts";
const y = 'import { y } from "./y.ts"';
import "./h.ts";`;
    expect(
      importsOf("core/x.ts", text).map(({ line, target, typeOnly }) => [line, target, typeOnly]),
    ).toEqual([
      [1, "./a.ts", false],
      [2, "./b.ts", true],
      [3, "./c.ts", true],
      [4, "./d.ts", false],
      [5, "./e.ts", true],
      [6, "./f.ts", false],
      [7, "./g.ts", false],
      [10, "./h.ts", false],
    ]);
  });

  test("reads the scripts of a component and counts its lines", () => {
    const text = `<p>hello</p>\n<script lang="ts">\nimport { a } from "../../core/x86/cpu.ts";\n</script>`;
    expect(importsOf("renderer/panes/A.svelte", text)).toEqual([
      { file: "renderer/panes/A.svelte", line: 3, target: "../../core/x86/cpu.ts", typeOnly: false },
    ]);
  });
});

describe("judge", () => {
  test("a room imports from floors below it and from itself", () => {
    expect(one("core/kvm/shadow/page.ts", "../../x86/door.ts")).toBeNull();
    expect(one("core/kvm/shadow/page.ts", "../write/pte-write.ts")).toBeNull();
    expect(one("core/x86/cpu.ts", "../kvm/index.ts")).toMatch(/floor 2 .* floor 3/);
    expect(one("core/kvm/index.ts", "../devices/serial.ts")).toMatch(/floor 3 .* floor 3/);
    expect(one("core/x86/cpu.ts", "../kvm/index.ts", true)).not.toBeNull();
    expect(one("core/attic/a.ts", "../x86/cpu.ts")).toMatch(/no room/);
    expect(one("core/x86/cpu.ts", "../../electron/main/menu.ts")).not.toBeNull();
  });

  test("the renderer knows the protocol alone, but for its browser host", () => {
    expect(one("renderer/App.svelte", "../core/lab/protocol/index.ts")).toBeNull();
    expect(one("renderer/App.svelte", "../core/lab/protocol/views.ts")).not.toBeNull();
    expect(one("renderer/App.svelte", "../core/x86/isa/disasm.ts", true)).not.toBeNull();
    expect(one("renderer/browser/worker.ts", "../../core/host/index.ts")).toBeNull();
    expect(one("renderer/browser/worker.ts", "../../core/kvm/index.ts")).not.toBeNull();
    expect(one("renderer/App.svelte", "../electron/main/menu.ts")).not.toBeNull();
  });

  test("packages stay where they belong", () => {
    expect(one("core/lab/a.ts", "valibot")).toBeNull();
    expect(one("core/lab/a.ts", "node:fs")).not.toBeNull();
    expect(one("core/lab/a.ts", "iced-x86")).not.toBeNull();
    expect(one("electron/main/a.ts", "electron")).toBeNull();
    expect(one("renderer/a.ts", "electron")).not.toBeNull();
    expect(one("renderer/a.ts", "svelte/store")).toBeNull();
    expect(one("renderer/a.ts", "svelte-something")).not.toBeNull();
  });

  test("the preload script takes names and types of main, electron the bridge's types", () => {
    expect(one("electron/preload/index.ts", "../main/channels.ts")).toBeNull();
    expect(one("electron/preload/index.ts", "../main/files.ts")).not.toBeNull();
    expect(one("electron/preload/index.ts", "../main/requests.ts", true)).toBeNull();
    expect(one("electron/main/files.ts", "../../renderer/bridge.ts", true)).toBeNull();
    expect(one("electron/main/files.ts", "../../renderer/bridge.ts")).not.toBeNull();
  });

  test("a relative import carries its extension", () => {
    expect(one("core/x86/cpu.ts", "./door")).toMatch(/extension/);
  });
});
