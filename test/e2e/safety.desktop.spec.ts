/** What only the desktop edition has to forbid and remember: navigation, windows, requests, strangers; its one instance. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { electronArguments, electronExecutable, expect, type Lab, launchElectron, test } from "./lib/lab.ts";
import { installProbe, Machine } from "./lib/machine.ts";

function application(lab: Lab) {
  if (lab.app === null) throw new Error("this test is for the desktop edition");
  return lab.app;
}

test("the window is sandboxed, isolated and without Node", async ({ lab }) => {
  const preferences = await application(lab).evaluate(({ BrowserWindow }) => {
    const window = BrowserWindow.getAllWindows()[0];
    // Documented under neither name, and the only witness of what the window was really made with.
    const contents = window?.webContents as unknown as { getLastWebPreferences(): Record<string, unknown> };
    return contents.getLastWebPreferences();
  });
  expect(preferences).toMatchObject({
    contextIsolation: true,
    sandbox: true,
    nodeIntegration: false,
    webviewTag: false,
  });
  const spelling = await application(lab).evaluate(({ session }) =>
    session.defaultSession.isSpellCheckerEnabled(),
  );
  expect(spelling).toBe(false);
  const opened = await application(lab).evaluate(async ({ BrowserWindow }) => {
    const contents = BrowserWindow.getAllWindows()[0]?.webContents;
    contents?.openDevTools({ mode: "detach" });
    await new Promise((resolve) => setTimeout(resolve, 500));
    return contents?.isDevToolsOpened();
  });
  expect(opened).toBe(false);
  expect(lab.page.url()).toBe("quadrant://app/");
});

test("navigation and new windows are denied", async ({ lab }) => {
  const opened = await lab.page.evaluate(() => window.open("https://example.invalid/") === null);
  expect(opened).toBe(true);
  for (const address of ["https://example.invalid/", "file:///etc/passwd", "data:text/html,<p>there"]) {
    await lab.page.evaluate((to) => {
      const link = document.createElement("a");
      link.href = to;
      document.body.append(link);
      link.click();
      link.remove();
    }, address);
    await lab.page.waitForTimeout(200);
    expect(lab.page.url()).toBe("quadrant://app/");
  }
  expect(application(lab).windows()).toHaveLength(1);
  const answer = await lab.machine.view({ kind: "cpu" });
  expect(answer.kind).toBe("cpu");
});

test("a permission is denied", async ({ lab }) => {
  const answers = await lab.page.evaluate(async () => {
    const camera = await navigator.mediaDevices.getUserMedia({ video: true }).then(
      () => "granted",
      (error: DOMException) => error.name,
    );
    return [await Notification.requestPermission(), camera];
  });
  expect(answers[0]).toBe("denied");
  expect(answers[1]).not.toBe("granted");
});

test("every session cancels requests to anything but the own scheme", async ({ lab }) => {
  let hits = 0;
  const server = createServer((_request, response) => {
    hits++;
    response.end("here");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const outcomes = await application(lab).evaluate(async ({ session }, url) => {
      const sessions = [
        session.defaultSession,
        session.fromPartition("another"),
        session.fromPartition("persist:third"),
      ];
      return Promise.all(
        sessions.map((one) =>
          one.fetch(url).then(
            () => "answered",
            (error: Error) => error.message,
          ),
        ),
      );
    }, `http://127.0.0.1:${port}/`);
    expect(outcomes).toEqual(Array(3).fill("net::ERR_BLOCKED_BY_CLIENT"));
  } finally {
    server.close();
  }
  expect(hits).toBe(0);
});

test("the scheme serves the page's files and nothing beside them", async ({ lab }) => {
  const answers = await lab.page.evaluate(async () => {
    const paths = [
      "/index.html",
      "/%2e%2e/package.json",
      "/..%2felectron/main.cjs",
      "/%00",
      "/%",
      "/nothing.js",
    ];
    return Promise.all(paths.map(async (path) => (await fetch(path)).status));
  });
  expect(answers).toEqual([200, 404, 404, 404, 404, 404]);
});

test("another page with the same preload is not answered", async ({ lab }) => {
  const outcome = await application(lab).evaluate(async ({ app, BrowserWindow }) => {
    const stranger = new BrowserWindow({
      show: false,
      webPreferences: {
        preload: `${app.getAppPath()}/dist/electron/preload.cjs`,
        sandbox: true,
        contextIsolation: true,
      },
    });
    await stranger.loadURL("quadrant://app/");
    const answer = await stranger.webContents.executeJavaScript(`
      (async () => {
        let heard = 0;
        window.quadrant.onMessage(() => heard++);
        window.quadrant.post({ type: "command", id: 1, command: { name: "describe" } });
        window.quadrant.post({ type: "nonsense" });
        const error = await window.quadrant.restartHost().then(() => "done", (reason) => reason.message);
        await new Promise((resolve) => setTimeout(resolve, 500));
        return { heard, error };
      })()`);
    stranger.destroy();
    return answer as { heard: number; error: string };
  });
  expect(outcome.heard).toBe(0);
  expect(outcome.error).toContain("only the application's own page is answered");
});

test("requests to the main process that are malformed are refused in words", async ({ lab }) => {
  const errors = await lab.page.evaluate(async () => {
    const bridge = window.quadrant;
    if (bridge === undefined) throw new Error("there is no bridge");
    const names = ["", "a/b", "..\\c", "n\0ul", "x".repeat(1000)];
    return Promise.all(
      names.map((name) =>
        bridge.saveFile(name, new Uint8Array(4)).then(
          () => "done",
          (error: Error) => error.message,
        ),
      ),
    );
  });
  for (const error of errors) expect(error).toMatch(/a file's name/);
});

test("a worker that ends by itself is reported, and a new one goes on", async ({ lab }) => {
  const app = application(lab);
  // The worker thread shows itself to whoever stands in main when a message is next sent to it.
  await app.evaluate(() => {
    const main = process.mainModule;
    if (main === undefined) throw new Error("main is not CommonJS");
    const { Worker } = main.require("node:worker_threads") as typeof import("node:worker_threads");
    const send = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function () {
      Worker.prototype.postMessage = send;
      void this.terminate();
    };
  });
  await lab.page.evaluate(() => window.quadrant?.post({ type: "close", view: 1e9 }));
  await expect(lab.page.getByTestId("host-crash")).toContainText("the worker ended");
  await lab.page.getByTestId("host-restart").click();
  await expect(lab.page.getByTestId("host-crash")).toBeHidden();
  const view = await lab.machine.view({ kind: "cpu" });
  expect(view.regs).toHaveLength(8);
});

test("a page loaded anew shows the same machine", async ({ lab }) => {
  await lab.machine.command({ name: "step", count: 3 });
  const before = await lab.machine.view({ kind: "cpu" });
  await lab.reload();
  const after = await lab.machine.view({ kind: "cpu" });
  expect(after).toEqual({ ...before, changed: after.changed });
});

test("the window comes back where it was", async ({ lab }) => {
  const { userData } = lab;
  if (userData === null) throw new Error("the desktop edition remembers");
  await application(lab).evaluate(({ BrowserWindow }) =>
    BrowserWindow.getAllWindows()[0]?.setBounds({ x: 40, y: 50, width: 1111, height: 777 }),
  );
  await expect
    .poll(() => {
      try {
        return JSON.parse(readFileSync(join(userData, "window.json"), "utf8")).width;
      } catch {
        return null;
      }
    })
    .toBe(1111);
  // A second application must not find the first one's lock: it gets a folder of its own with the same memory.
  const { cpSync, mkdtempSync, rmSync } = await import("node:fs");
  const { tmpdir } = await import("node:os");
  const other = mkdtempSync(join(tmpdir(), "quadrant-e2e-again-"));
  cpSync(join(userData, "window.json"), join(other, "window.json"));
  const again = await launchElectron(other);
  try {
    await again.firstWindow();
    const bounds = await again.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.getBounds());
    expect(bounds).toMatchObject({ width: 1111, height: 777 });
  } finally {
    await again.close();
    rmSync(other, { recursive: true, force: true });
  }
});

test("a second instance hands over to the first and ends", async ({ lab }) => {
  const { userData } = lab;
  if (userData === null) throw new Error("the desktop edition remembers");
  const code = await new Promise<number | null>((resolve) => {
    const second = spawn(electronExecutable(), electronArguments(userData), { stdio: "ignore" });
    second.on("exit", resolve);
  });
  expect(code).toBe(0);
  expect(application(lab).windows()).toHaveLength(1);
  await installProbe(lab.page);
  expect((await new Machine(lab.page).view({ kind: "cpu" })).kind).toBe("cpu");
});

test("the menu bar offers what the window handed it and hands back what was chosen", async ({ lab }) => {
  const chosen = lab.page.evaluate(
    () =>
      new Promise<string>((resolve) => {
        window.quadrant?.onMenuCommand((id) => resolve(id));
        window.quadrant?.setMenu([
          { id: "probe.run", title: "Run & look", menu: "Machine", key: "F5", enabled: true },
          { id: "probe.off", title: "Not now", menu: "Machine", key: "Nonsense+Key", enabled: false },
        ]);
      }),
  );
  const items = () =>
    application(lab).evaluate(({ Menu }) => {
      const machine = Menu.getApplicationMenu()?.items.find((item) => item.label === "&Machine");
      return machine?.submenu?.items.map(({ id, label, enabled, accelerator }) => [
        id,
        label,
        enabled,
        accelerator,
      ]);
    });
  await expect.poll(async () => (await items())?.[0]?.[0]).toBe("probe.run");
  expect((await items())?.map((item) => item.slice(0, 3))).toEqual([
    ["probe.run", "Run && look", true],
    ["probe.off", "Not now", false],
  ]);
  await application(lab).evaluate(({ Menu }) =>
    Menu.getApplicationMenu()?.getMenuItemById("probe.run")?.click(),
  );
  expect(await chosen).toBe("probe.run");
});
