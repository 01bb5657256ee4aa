/** Experiments in the window: what the pane shows is what the lab counted, and the machine on the screen stays as it is. */
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import type { ExperimentResultView } from "../../core/lab/protocol/index.ts";
import { expect, test } from "./lib/lab.ts";

async function showExperiments(page: Page): Promise<void> {
  await page.getByTestId("action-palette").click();
  await page.getByTestId("palette-input").fill("Show Experiments");
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("experiment-run")).toBeVisible();
}

test("one is run: its progress, its figures, its charts; the machine has not moved", async ({ lab }) => {
  test.setTimeout(240_000);
  const { page, machine } = lab;
  const before = await machine.command({ name: "report" });
  await showExperiments(page);
  await page.getByTestId("experiment-choice").selectOption("nanobench");
  await page.getByTestId("experiment-run").click();
  const state = page.getByTestId("experiment-state");
  await expect(state).toHaveAttribute("data-state", "running");
  await expect(state).toContainText(/\d+ of \d+: \w+: /);
  // A second start is refused in words, and the first goes on.
  const { costTables } = await machine.command<{ costTables: unknown[] }>({ name: "describe" });
  const second = await machine.tryCommand({
    name: "startExperiment",
    experiment: "quadrant",
    costs: costTables,
  });
  expect(second.ok).toBe(false);
  expect(!second.ok && second.error).toContain("one at a time");
  await expect(state).toHaveAttribute("data-state", "done", { timeout: 200_000 });

  const { result }: ExperimentResultView = await machine.view({ kind: "experimentResult" });
  const rows = page.getByTestId("result-row");
  await expect(rows).toHaveCount(result!.rows.length);
  // A fault of the guest's own takes one exit and one injection under B, and none on the bare machine.
  for (const [policy, exits] of [
    ["B", "1"],
    ["none", "0"],
  ] as const) {
    const at = result!.rows.findIndex((row) => row.program === "pgfault" && row.policy === policy);
    const row = rows.nth(at);
    await expect(row.locator("[data-column=program]")).toHaveText("pgfault");
    await expect(row.locator("[data-column=policy]")).toHaveText(policy);
    await expect(row.locator("[data-column=exits]")).toHaveText(exits);
    await expect(row.locator("[data-column=injected]")).toHaveText(exits);
    expect(result!.rows[at]!.exits).toBe(Number(exits));
  }
  const chart = page.getByTestId("chart-exits");
  await expect(chart).toHaveAttribute("data-drawn", "true");
  await expect(chart.locator("canvas")).toHaveCount(1);
  // Its tooltip is drawn, too: nothing in it meets the page's policy (the fixture counts violations).
  await chart.locator("canvas").hover({ position: { x: 200, y: 150 } });
  await expect(chart.getByRole("row", { name: /^pgfault/ })).toContainText("1");

  const { violations } = await new AxeBuilder({ page })
    .setLegacyMode(true)
    .include("[data-testid=pane-experiments]")
    .analyze();
  expect(violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target).join(" | ")}`)).toEqual(
    [],
  );

  if (lab.edition === "browser") {
    for (const [button, name, begins] of [
      ["save-csv", "nanobench.csv", "program,policy,"],
      ["save-json", "nanobench.json", "{"],
      ["save-svg-exits", "nanobench-exits.svg", "<svg"],
    ] as const) {
      const download = page.waitForEvent("download");
      await page.getByTestId(button).click();
      const file = await download;
      expect(file.suggestedFilename()).toBe(name);
      let text = "";
      for await (const piece of await file.createReadStream()) text += String(piece);
      expect(text.startsWith(begins)).toBe(true);
      expect(text).toContain("pgfault");
    }
  }
  expect(await machine.command({ name: "report" })).toEqual(before);
});

test("Cancel ends one at once, and costs of one's own are checked before the next", async ({ lab }) => {
  const { page, machine } = lab;
  await showExperiments(page);
  await page.getByTestId("experiment-choice").selectOption("nanobench");
  await page.getByTestId("experiment-run").click();
  const state = page.getByTestId("experiment-state");
  await expect(state).toHaveAttribute("data-state", "running");
  await page.getByTestId("experiment-cancel").click();
  await expect(state).toHaveAttribute("data-state", "cancelled");
  await expect(state).toContainText("was cancelled");
  const { result } = await machine.view({ kind: "experimentResult" });
  expect(result).toBeNull();
  const refused = await machine.tryCommand({ name: "cancelExperiment" });
  expect(!refused.ok && refused.error).toContain("no experiment is running");

  await page.getByText("Cost model:").click();
  const cost = page.getByTestId("own-vm_exit");
  await cost.fill("many");
  await expect(cost).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByTestId("experiment-run")).toBeDisabled();
  await expect(state).toContainText("not a number");
  await cost.fill("700");
  await expect(page.getByTestId("experiment-run")).toBeEnabled();
});
