/**
 * The application end to end: the same specs in Electron (a packaged folder) and in Chromium (the browser edition).
 * `npm test` and `npm run e2e` prepare the builds and the display; this file alone expects them.
 */
import { fileURLToPath } from "node:url";
import { defineConfig } from "@playwright/test";
import type { EditionOptions } from "./lib/lab.ts";

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig<EditionOptions>({
  testDir: ".",
  outputDir: fromHere("../../test-results"),
  // A launch takes 1.5 s on a quiet machine, and many times that on a busy one.
  timeout: 90_000,
  expect: { timeout: 10_000 },
  // Two editions share two cores with the guests they run: tests that measure would disturb each other.
  workers: 1,
  fullyParallel: false,
  forbidOnly: true,
  reporter: [["list"], ["json"]],
  projects: [
    { name: "electron", use: { edition: "desktop" }, testIgnore: "**/*.browser.spec.ts" },
    { name: "chromium", use: { edition: "browser" }, testIgnore: "**/*.desktop.spec.ts" },
  ],
});
