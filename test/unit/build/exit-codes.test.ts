import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

// Found by a run with failures that ended with 0: electron-builder loads a handler that ends a process which has run out of
// work with 0, whatever process.exitCode says. Only process.exit(code) is heard.
test("no build script leaves its exit code to process.exitCode", () => {
  const root = new URL("../../../build/", import.meta.url);
  const scripts = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".mjs"),
  );
  expect(scripts).toContain("test.mjs");
  const wrong = scripts.filter((name) =>
    /process\.exitCode\s*=/.test(readFileSync(new URL(name, root), "utf8")),
  );
  expect(wrong).toEqual([]);
});
