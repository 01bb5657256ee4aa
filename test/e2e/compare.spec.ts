/** The Compare pane's choices: what is asked for is what the lab is asked for. */
import AxeBuilder from "@axe-core/playwright";
import type { CompareView } from "../../core/lab/protocol/index.ts";
import { expect, type Lab, test } from "./lib/lab.ts";

async function show({ page }: Lab, pane: string): Promise<void> {
  await page.getByTestId("action-palette").click();
  await page.getByTestId("palette-input").fill(pane);
  await page.keyboard.press("Enter");
}

/** To the guest's halt, which the window tells. */
async function run({ page }: Lab): Promise<void> {
  await page.getByTestId("action-run").click();
  await expect(page.getByTestId("outcome")).toBeVisible({ timeout: 30_000 });
}

test("one policy twice, a hazard as it was on one side: the shadows part, and the pane is accessible", async ({
  lab,
}) => {
  const { page, machine } = lab;
  await machine.command({ name: "openScenario", id: "pse-36", policy: "B" });
  await show(lab, "Compare");
  await page.getByTestId("compare-first").selectOption("B");
  await page.getByTestId("compare-second").selectOption("B");
  await page.getByTestId("compare-hazards-1").click();
  const hazard = page.getByTestId("compare-hazard-1-pse36-gfn");
  await expect(hazard).toHaveAttribute("aria-checked", "true");
  await hazard.click();
  await expect(hazard).toHaveAttribute("aria-checked", "false");
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("compare-hazards-1")).toContainText("1 as it was");
  await expect(page.getByTestId("compare-hazards-0")).toContainText("guarded");
  await page.getByTestId("compare-accessed-dirty").check();
  await page.getByTestId("compare-run").click();
  const pair = page.getByTestId("compared-pair");
  await expect(pair).toHaveCount(1);
  await expect(pair).toHaveAttribute("data-state", "difference", { timeout: 60_000 });
  await expect(page.getByTestId("compare-what")).toContainText("memory at gpa 0x100002000");
  const view: CompareView = await machine.view({ kind: "compare", pair: 0, page: null, around: null });
  expect(view.pairs[0]!.policies).toEqual(["B", "B"]);
  const { violations } = await new AxeBuilder({ page })
    .setLegacyMode(true)
    .include("[data-testid=compare-pane]")
    .analyze();
  expect(violations.map((one) => one.id)).toEqual([]);
});

test("under nested paging there is no hazard to choose, and two of them are compared by their host tables", async ({
  lab,
}) => {
  const { page } = lab;
  await show(lab, "Compare");
  await page.getByTestId("compare-first").selectOption("nested");
  await page.getByTestId("compare-second").selectOption("nested");
  await expect(page.getByTestId("compare-hazards-0")).toBeDisabled();
  await page.getByTestId("compare-run").click();
  await expect(page.getByTestId("compare-same")).toContainText("the host tables hold the same", {
    timeout: 60_000,
  });
});

test("a guest that halts, is reset and halts again leaves the panes where they are", async ({ lab }) => {
  const { page } = lab;
  const top = async () => (await page.locator("main").boundingBox())!.y;
  await run(lab);
  const halted = await top();
  await page.getByTestId("action-reset").first().click();
  await expect(page.getByTestId("outcome-quiet")).toBeVisible();
  expect(await top()).toBe(halted);
  await run(lab);
  expect(await top()).toBe(halted);
});
