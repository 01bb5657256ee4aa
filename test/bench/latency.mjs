/**
 * npm run bench -- --latency: how late the window shows what the guest stored, in both editions, with the guest at full
 * speed and the default panes open. From the end of the slice that retired a store to the first animation frame that
 * begins after the DOM has it, in frames of the measured length; a key's way into the memory pane; tasks of the
 * renderer that took long; a press on Pause and Run.
 *
 * The guest stores its own time (RDTSC is the machine's time), so the value on the screen says in which slice it was
 * stored; each push tells when its slices ended. A stamp that was overwritten before it was shown counts as shown
 * with the one after it.
 *
 *   node test/bench/latency.mjs [--edition desktop|browser] [--program NAME] [--seconds N] [--page DIR] [--trace FILE]
 *
 * --page serves the browser edition from another folder, and QUADRANT_ELECTRON names another packaged application: two
 * builds are compared in alternation, because a shared machine is never twice the same.
 * --trace writes what Chromium did meanwhile (browser edition), for its own performance panel.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { _electron, chromium } from "@playwright/test";
import { inRoot } from "../../build/lib/repository.mjs";
import { serve } from "../../build/lib/serve.mjs";
import { installStopwatches } from "./latency-page.mjs";

const { values: options } = parseArgs({
  options: {
    edition: { type: "string" },
    program: { type: "string" },
    seconds: { type: "string", default: "15" },
    page: { type: "string" },
    trace: { type: "string" },
  },
});
const SECONDS = Number(options.seconds);

/** Programs of latency.asm, by number. */
const PROGRAMS = ["stores", "screen", "entries", "reload"];
const HELP = {
  stores: "the stamp, and stores all over 64 pages elsewhere",
  screen: "every word of the page on the screen changes",
  entries: "page-table entries are written without a pause",
  reload: "CR3 is loaded without a pause",
};
const LOAD = 0x10_0000;
const INTERVAL_AT = LOAD + 0x44;
const SEEN = 0x30_0000;
/** Milliseconds between two stamps: longer than any latency that passes, and not a multiple of a frame. */
const STAMP_MS = 123;
const KEYS = [
  "a",
  "7",
  "Backspace",
  "Escape",
  "ArrowDown",
  "ArrowRight",
  "0",
  "Escape",
  "ArrowUp",
  "ArrowLeft",
];

const isRoot = process.getuid?.() === 0;
const SANDBOX = isRoot ? ["--no-sandbox"] : [];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Each edition: its page, and the slices that its host reported, read without a listener in the page. */
const EDITIONS = {
  async desktop() {
    const userData = mkdtempSync(join(tmpdir(), "quadrant-bench-"));
    const app = await _electron.launch({
      executablePath: process.env.QUADRANT_ELECTRON,
      args: [`--user-data-dir=${userData}`, ...SANDBOX],
    });
    const page = await app.firstWindow();
    await app.evaluate(({ BrowserWindow }) => {
      const contents = BrowserWindow.getAllWindows()[0].webContents;
      const send = contents.send;
      globalThis.slices = [];
      contents.send = (channel, ...values) => {
        const [message] = values;
        if (message?.type === "push") globalThis.slices.push(...message.slices);
        return send.call(contents, channel, ...values);
      };
    });
    return {
      page,
      slices: () => app.evaluate(() => globalThis.slices.splice(0)),
      async close() {
        await app.close();
        rmSync(userData, { recursive: true, force: true });
      },
    };
  },
  async browser() {
    const server = await serve(options.page === undefined ? {} : { folder: options.page });
    const browser = await chromium.launch({
      executablePath: process.env.QUADRANT_CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        ...SANDBOX,
      ],
    });
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    await page.addInitScript(() => {
      window.slices = [];
      const Native = window.Worker;
      window.Worker = class extends Native {
        constructor(...values) {
          super(...values);
          this.addEventListener("message", ({ data }) => {
            if (data.type === "push") window.slices.push(...data.slices);
          });
        }
      };
    });
    await page.goto(server.url);
    return {
      page,
      slices: () => page.evaluate(() => window.slices.splice(0)),
      async startTrace() {
        if (options.trace !== undefined) await browser.startTracing(page, { path: options.trace });
      },
      async stopTrace() {
        if (options.trace !== undefined) await browser.stopTracing();
      },
      async close() {
        await browser.close();
        await server.close();
      },
    };
  },
};

function guestOf(program) {
  const bytes = new Uint8Array(readFileSync(inRoot("test/bench/latency.bin")));
  new DataView(bytes.buffer).setUint32(0x40, PROGRAMS.indexOf(program), true);
  return bytes;
}

const ask = (page, command) => page.evaluate((what) => window.bench.ask(what), command);

/** Opens the guest in the window as a person would see it, with the memory pane on the page of the stamp. */
async function open(page, program) {
  await page.evaluate(
    ({ bytes, title }) =>
      window.bench.ask({
        name: "openImage",
        title,
        bytes: Uint8Array.from(bytes),
        kind: "multiboot",
        config: { policy: "B" },
      }),
    { bytes: [...guestOf(program)], title: `latency (${program})` },
  );
  await page.locator('[data-testid="memory-space"]').getByText("gpa").click();
  const go = page.locator('[data-testid="memory-go"]');
  await go.fill((SEEN + 0x20).toString(16));
  await go.press("Enter");
  await page.locator('[data-testid="memory-cells"]').selectOption("4");
}

/** Runs a program and measures it. Answers numbers alone. */
async function measure(edition, program) {
  const opened = await EDITIONS[edition]();
  try {
    const { page } = opened;
    await page.waitForFunction(() => window.quadrant !== undefined);
    await page.evaluate(installStopwatches);
    await page.locator('[data-testid="memory-grid"] .row').first().waitFor();
    await open(page, program);
    const frame = await page.evaluate(() => window.bench.frameInterval(90));

    await ask(page, { name: "run" });
    await pause(1500);
    await opened.slices();
    await pause(1500);
    const speed = unitsPerMs(await opened.slices());
    const interval = Math.round(speed * STAMP_MS);
    await ask(page, {
      name: "edit",
      space: "gpa",
      as: "device",
      address: INTERVAL_AT,
      size: 4,
      low: interval,
    });
    await pause(500);

    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    const metrics = async () =>
      Object.fromEntries(
        (await session.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]),
      );

    await page.locator('[data-testid="memory-grid"]').focus();
    await opened.slices();
    await page.evaluate((address) => window.bench.watch(address), SEEN);
    await opened.startTrace?.();
    const before = await metrics();
    const begun = performance.now();
    for (let i = 0; performance.now() - begun < SECONDS * 1000; i++) {
      await page.keyboard.press(KEYS[i % KEYS.length]);
      await pause(70 + ((i * 37) % 90));
    }
    const seconds = (performance.now() - begun) / 1000;
    const after = await metrics();
    await opened.stopTrace?.();
    const seen = await page.evaluate(() => window.bench.collect());
    if (seen.hidden) throw new Error("the window was hidden: nothing was drawn");
    const slices = await opened.slices();

    const presses = [];
    for (let i = 0; i < 10; i++) {
      presses.push(await page.evaluate(() => window.bench.press("pause", "paused")));
      presses.push(await page.evaluate(() => window.bench.press("run", "running")));
    }
    const share = (name) => (after[name] - before[name]) / seconds;
    return {
      frame,
      mips: unitsPerMs(slices) / 1000,
      latencies: latencies(slices, seen.stamps, interval).map((ms) => ms / frame),
      keys: seen.keys.map((key) => key.ms ?? Number.POSITIVE_INFINITY),
      longTasks: seen.longTasks,
      presses,
      busy: {
        all: share("TaskDuration"),
        script: share("ScriptDuration"),
        style: share("RecalcStyleDuration"),
        layout: share("LayoutDuration"),
      },
      slice: median(gaps(slices)),
    };
  } finally {
    await opened.close();
  }
}

function unitsPerMs(slices) {
  const last = slices.length - 2;
  return (slices[last] - slices[0]) / (slices[last + 1] - slices[1]);
}

function gaps(slices) {
  const list = [];
  for (let i = 3; i < slices.length; i += 2) list.push(slices[i] - slices[i - 2]);
  return list;
}

/** Milliseconds from the end of the slice that retired each stamp to the frame that showed it, or one after it. */
function latencies(slices, stamps, interval) {
  const found = [];
  let at = 0;
  /** End of the slice in which the machine came by `value`; undefined when it was not told of. */
  const endOf = (value) => {
    while (at < slices.length && slices[at] < value) at += 2;
    return slices[at + 1];
  };
  // The first was on its way when the watch began.
  for (let i = 1; i < stamps.length; i++) {
    const { value, frame } = stamps[i];
    const step = value - stamps[i - 1].value;
    for (let lost = Math.round(step / interval) - 1; lost >= 0; lost--) {
      const end = endOf(value - lost * interval);
      if (end !== undefined) found.push(frame - end);
    }
  }
  return found;
}

const sorted = (numbers) => [...numbers].sort((a, b) => a - b);
const median = (numbers) => sorted(numbers)[numbers.length >> 1] ?? Number.NaN;
const at95 = (numbers) => sorted(numbers)[Math.ceil(numbers.length * 0.95) - 1] ?? Number.NaN;
const most = (numbers) => (numbers.length === 0 ? 0 : Math.max(...numbers));
const three = (numbers, digits) => [median, at95, most].map((f) => f(numbers).toFixed(digits)).join(" / ");

console.log(
  `${cpus().length} x ${cpus()[0]?.model ?? "unknown processor"}; load average ${loadavg()[0].toFixed(1)} at the beginning`,
);
const editions = options.edition === undefined ? Object.keys(EDITIONS) : [options.edition];
const programs = options.program === undefined ? PROGRAMS : [options.program];
for (const edition of editions) {
  for (const program of programs) {
    const m = await measure(edition, program);
    console.log(`\n${edition}, ${program}: ${HELP[program]}; load average ${loadavg()[0].toFixed(1)}`);
    const line = (what, text) => console.log(`  ${what.padEnd(44)} ${text}`);
    line("guest", `${m.mips.toFixed(1)} MIPS, slices of ${m.slice.toFixed(1)} ms (median)`);
    line("animation frame", `${m.frame.toFixed(2)} ms`);
    line(`${m.latencies.length} stores to the frame after the DOM`, `${three(m.latencies, 2)} frames`);
    line(`${m.keys.length} keys in the memory pane`, `${three(m.keys, 1)} ms`);
    line(`${m.presses.length} presses of Pause and Run`, `${three(m.presses, 1)} ms`);
    const over = m.longTasks.filter((ms) => ms > 100).length;
    line(
      "renderer tasks over 50 / over 100 ms",
      `${m.longTasks.length} / ${over}, longest ${most(m.longTasks)} ms`,
    );
    const { all, script, style, layout } = m.busy;
    line(
      "renderer's main thread, of its time",
      `${(all * 100).toFixed(0)} % (script ${(script * 100).toFixed(0)}, style ${(style * 100).toFixed(0)}, layout ${(layout * 100).toFixed(0)})`,
    );
  }
}
console.log("\nWhere three numbers stand: median / 95th percentile / longest.");
