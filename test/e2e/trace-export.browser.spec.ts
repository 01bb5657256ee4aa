/** The recorded events as files, downloaded by the browser edition; the desktop asks with the system's own dialog. */
import { readFileSync } from "node:fs";
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

test("the recorded events are saved as the text of each version", async ({ lab }) => {
  const { page } = lab;
  await run(lab);
  await show(lab, "Show Events");
  for (const [format, line] of [
    ["2.6.32", "kvm_mmu_zap_page: sp gfn"],
    ["3.1", "kvm_mmu_prepare_zap_page: sp gfn"],
    ["modern", "kvm_mmu_prepare_zap_page: sp gen"],
  ] as const) {
    await page.getByTestId("events-save").click();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByTestId(`events-save-${format}`).click(),
    ]);
    expect(download.suggestedFilename()).toBe(`Quadrant-one-page-table-two-shadow-pages-${format}.trace`);
    const text = readFileSync(await download.path(), "utf8");
    expect(text.startsWith("# tracer: nop\n")).toBe(true);
    expect(text).toContain(line);
  }
});
