/** Nested paging in the window: chosen like any policy, the walk in two dimensions, its knobs, and no shadow to show. */
import { artifact, expect, test } from "./lib/lab.ts";

interface Report {
  policy: string;
  nested: { levels: number; walk_cache: number } | null;
  counters: Record<string, number>;
}

test("the walk in two dimensions: a row a guest step, a column a host level, and the knobs change the machine", async ({
  lab,
}) => {
  const { page, machine } = lab;
  await page.getByTestId("policy-picker").click();
  await page.locator("[role=menuitemradio][data-value=nested]").click();
  const report = () => machine.command<Report>({ name: "report" });
  await expect.poll(async () => (await report()).policy).toBe("nested");
  await page.getByTestId("action-step").click();

  await page.getByTestId("action-palette").click();
  await page.getByTestId("palette-input").fill("Show Walk");
  await page.keyboard.press("Enter");
  const rows = page.getByTestId("nested-row");
  await expect(rows).toHaveCount(3);
  await expect(rows.first().getByRole("cell")).toHaveCount(1 + 4 + 2);
  await expect(page.getByTestId("nested-text")).toContainText("(2 + 1)(4 + 1) - 1 = 14");
  await page.getByTestId("walk-nested").screenshot({ path: artifact(lab.edition, "nested-walk.png") });

  await page.getByTestId("nested-levels").getByRole("radio", { name: "3 levels" }).click();
  await expect.poll(async () => (await report()).nested?.levels).toBe(3);
  await page.getByTestId("walk-cache").getByRole("radio", { name: "16" }).click();
  await expect.poll(async () => (await report()).nested?.walk_cache).toBe(16);
  await page.getByTestId("action-step").click();
  await expect(page.getByTestId("nested-text")).toContainText("(2 + 1)(3 + 1) - 1 = 11");
  expect((await report()).counters.nested_walks).toBeGreaterThan(0);
  await expect(page.getByTestId("walk-shadow")).toHaveCount(0);
  await expect(page.getByTestId("audit-state")).toContainText("no shadow to audit");
});
