/** Scenarios and comparisons in the window: predictions beside what was found, and the commit under P, B and D. */
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, type Lab, test } from "./lib/lab.ts";

async function command(page: Page, words: string): Promise<void> {
  await page.getByTestId("action-palette").click();
  await page.getByTestId("palette-input").fill(words);
  await page.keyboard.press("Enter");
}

/** Nothing serious for a screen reader's user, in both themes. */
async function accessible(page: Page): Promise<void> {
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze();
    const serious = violations.filter((one) => one.impact === "serious" || one.impact === "critical");
    expect(serious.map((one) => `${one.id}: ${one.nodes.map((node) => node.target).join(" | ")}`)).toEqual(
      [],
    );
  }
}

const steps = (page: Page, state: string) => page.locator(`[data-testid=scenario-step][data-state=${state}]`);
const compared = (lab: Lab) => lab.machine.view({ kind: "compare", pair: 0, page: null, around: null });

test("the commit's scenario, step by step and to its end, under B and under D", async ({ lab }) => {
  const { page, machine } = lab;
  await command(page, "Scenarios");
  await page.getByTestId("scenario-seed-page-table").click();
  await expect(steps(page, "next")).toHaveCount(1);
  await expect(page.getByTestId("scenario-verdict")).toHaveText("11 steps");
  await page.getByTestId("scenario-policy").getByRole("radio", { name: "B", exact: true }).click();
  await page.getByTestId("scenario-next").click();
  await expect(steps(page, "done")).toHaveCount(1);
  const first = page.getByTestId("prediction").first();
  await expect(first).toContainText("shadow pages");
  await expect(first).toContainText("4");
  await page.getByTestId("scenario-all").click();
  await expect(steps(page, "done")).toHaveCount(11);
  const view = await machine.view({ kind: "scenario" });
  expect(view.open).toMatchObject({ policy: "B", failed: 0, at: 11 });
  await expect(page.getByTestId("scenario-verdict")).toHaveText(`${view.open?.judged} predictions true`);
  await expect(page.locator("[data-testid=prediction][data-ok=false]")).toHaveCount(0);
  await page.getByTestId("scenario-policy").getByRole("radio", { name: "D", exact: true }).click();
  await expect(steps(page, "done")).toHaveCount(0);
  await page.getByTestId("scenario-all").click();
  await expect(steps(page, "done")).toHaveCount(11);
  await expect(page.getByTestId("scenario-pane")).toContainText("I3, I9");
  await accessible(page);
});

test("a machine changed by hand makes predictions fail, with predicted and found", async ({ lab }) => {
  const { page, machine } = lab;
  await command(page, "Scenarios");
  await page.getByTestId("scenario-seed-page-table").click();
  await page.getByTestId("scenario-policy").getByRole("radio", { name: "B", exact: true }).click();
  await expect.poll(async () => (await machine.view({ kind: "scenario" })).open?.policy).toBe("B");
  await machine.command({ name: "setPolicy", policy: "D" });
  await expect(page.getByTestId("scenario-pane")).toContainText("moved or edited by hand");
  await page.getByTestId("scenario-all").click();
  await expect(steps(page, "done")).toHaveCount(11);
  const failed = page.locator("[data-testid=prediction][data-ok=false]");
  const { open } = await machine.view({ kind: "scenario" });
  expect(open?.failed).toBeGreaterThan(0);
  await expect(failed).toHaveCount(open?.failed ?? 0);
  await expect(page.getByTestId("scenario-verdict")).toHaveText(
    `${open?.failed} of ${open?.judged} predictions failed`,
  );
});

test("from the first screen, one click: P, B and D, what differs and why", async ({ lab }) => {
  const { page } = lab;
  await page.getByTestId("introduction-compare").click();
  const pairs = page.getByTestId("compared-pair");
  await expect(pairs).toHaveCount(2);
  await expect(pairs.nth(0)).toHaveAttribute("data-state", "difference", { timeout: 30_000 });
  await expect(pairs.nth(1)).toHaveAttribute("data-state", "difference", { timeout: 30_000 });
  await expect(page.getByTestId("compare-what")).toContainText("spte 72 of page table gfn 0x1234");
  await expect(page.getByTestId("compare-why")).toContainText("skipped: wrong quadrant under B");
  const row = page.locator("[data-testid=compared-spte][data-index='72']");
  await expect(row).toContainText("empty");
  await expect(row).toContainText("maps gpa 0x5670000");
  const { pairs: told } = await compared(lab);
  expect(told[0]?.difference?.entries.map(({ gfn, index }) => [gfn, index])).toEqual([[0x1234, 72]]);
  await expect(page.locator("[data-testid=compared-event][data-apart=true]").first()).toBeVisible();
  await accessible(page);
  await pairs.nth(1).click();
  await expect(page.locator("[data-testid=compared-spte][data-index='72']")).toContainText(
    "maps gpa 0x5678000",
  );
  await page.getByTestId("compare-take-1").click();
  await expect
    .poll(async () => (await lab.machine.command<{ policy: string }>({ name: "report" })).policy)
    .toBe("D");
  // Its events came along: the one that made the entry differ is chosen.
  await expect(page.getByTestId("pane-events").locator("[role=row][aria-selected=true]")).toContainText(
    "spte_set",
  );
  await expect(page.getByTestId("audit-state")).toContainText("violation");
  await expect(page.getByTestId("events-live")).toHaveText("Held");
  // Another guest's events are not held at a number of this one's.
  await page.getByTestId("guest-picker").click();
  await page.locator("[role=menuitemradio][data-value=nonpae-kernel]").click();
  await expect(page.getByTestId("events-live")).toHaveText("Live");
});
