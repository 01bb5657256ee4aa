/**
 * The fixture `lab`: the application running in one edition, its page, and the machine behind it. Every test that uses
 * it also asserts, when it ends, that the page violated its CSP nowhere and threw no error.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  _electron,
  test as base,
  chromium,
  type ElectronApplication,
  expect,
  type Page,
} from "@playwright/test";
import { serve } from "../../../build/lib/serve.mjs";
import { installProbe, Machine } from "./machine.ts";

export { expect };

export type Edition = "desktop" | "browser";
export interface EditionOptions {
  edition: Edition;
}

export interface Lab {
  readonly edition: Edition;
  readonly page: Page;
  readonly machine: Machine;
  /** Electron's application; null in the browser edition. */
  readonly app: ElectronApplication | null;
  /** Folder of the window's remembered state; null in the browser edition. */
  readonly userData: string | null;
  /** Errors that the page is expected to show on its console end up here, with all others. */
  readonly pageErrors: string[];
  /** CSP violations since the page was loaded last. */
  violations(): Promise<string[]>;
  /** Loads the page anew; the machine goes on in the desktop edition and starts anew in the browser's. */
  reload(): Promise<void>;
}

const ARTIFACTS = fileURLToPath(new URL("../../../artifacts/", import.meta.url));
/** Where a test leaves a picture: artifacts/<edition>/<name>. */
export const artifact = (edition: Edition, name: string) => join(ARTIFACTS, edition, name);

const isRoot = process.getuid?.() === 0;
const CHROMIUM = process.env.QUADRANT_CHROMIUM ?? "/usr/bin/chromium";
const QUIET = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** The packaged application that Playwright can attach to. */
export function electronExecutable(): string {
  const path = process.env.QUADRANT_ELECTRON;
  if (path === undefined) throw new Error("QUADRANT_ELECTRON is not set; start these tests with npm run e2e");
  return path;
}

export const electronArguments = (userData: string): string[] => [
  `--user-data-dir=${userData}`,
  ...(isRoot ? ["--no-sandbox"] : []),
];

/** Starts the desktop edition with this folder for what it remembers. */
export function launchElectron(userData: string): Promise<ElectronApplication> {
  return _electron.launch({ executablePath: electronExecutable(), args: electronArguments(userData) });
}

interface Opened {
  page: Page;
  app: ElectronApplication | null;
  userData: string | null;
  close(): Promise<void>;
}

async function openDesktop(): Promise<Opened> {
  const userData = mkdtempSync(join(tmpdir(), "quadrant-e2e-"));
  const app = await launchElectron(userData);
  const page = await app.firstWindow();
  return {
    page,
    app,
    userData,
    async close() {
      await app.close();
      rmSync(userData, { recursive: true, force: true });
    },
  };
}

async function openBrowser(): Promise<Opened> {
  const server = await serve();
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [...QUIET, ...(isRoot ? ["--no-sandbox"] : [])],
  });
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.goto(server.url);
  return {
    page,
    app: null,
    userData: null,
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

/** Counts violations from the page's first moment on: that needs a load after the listener is in place. */
async function watchPolicy(page: Page): Promise<void> {
  await page.addInitScript(() => {
    window.cspViolations = [];
    addEventListener("securitypolicyviolation", (event) => {
      window.cspViolations?.push(`${event.violatedDirective}: ${event.blockedURI} (${event.sourceFile})`);
    });
  });
  await page.reload();
}

export const test = base.extend<EditionOptions & { lab: Lab }>({
  edition: ["browser", { option: true }],
  lab: async ({ edition }, use, info) => {
    const opened = await (edition === "desktop" ? openDesktop() : openBrowser());
    const { page } = opened;
    const pageErrors: string[] = [];
    page.on("pageerror", (error) => pageErrors.push(error.stack ?? error.message));
    await watchPolicy(page);
    await installProbe(page);
    const violations = () => page.evaluate(() => window.cspViolations ?? ["the listener is not there"]);
    await use({
      edition,
      page,
      app: opened.app,
      userData: opened.userData,
      machine: new Machine(page),
      pageErrors,
      violations,
      async reload() {
        await page.reload();
        await installProbe(page);
      },
    });
    try {
      if (info.status !== info.expectedStatus) {
        const name = `${info.titlePath.slice(1).join(" ")}.png`.replaceAll(/[^\w.]+/g, "-");
        await page.screenshot({ path: artifact(edition, `failed/${name}`) });
      }
      expect(await violations(), "violations of the content security policy").toEqual([]);
      expect(pageErrors, "errors in the page").toEqual([]);
    } finally {
      await opened.close();
    }
  },
});
