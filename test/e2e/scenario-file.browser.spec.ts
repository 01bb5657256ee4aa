/** A scenario file of one's own: what is wrong in it is told with its name, and a right one is shown wherever one was. */
import AxeBuilder from "@axe-core/playwright";
import { expect, type Lab, test } from "./lib/lab.ts";

async function command({ page }: Lab, words: string): Promise<void> {
  await page.getByTestId("action-palette").click();
  await page.getByTestId("palette-input").fill(words);
  await page.keyboard.press("Enter");
}

async function openFile(lab: Lab, name: string, text: string): Promise<void> {
  const asked = lab.page.waitForEvent("filechooser");
  await command(lab, "Open scenario file");
  await (await asked).setFiles({ name, mimeType: "application/json", buffer: Buffer.from(text) });
}

const MINE = `{ "scenario": 1, "title": "Mine <b>", "text": "<i>raw</i> [a](https://example.org/) [b](javascript:alert(1))",
  "steps": [{ "do": "note", "predict": [{ "what": "pages", "is": 1 }] }] }`;

test("mistakes are told with the file's name, and a file opened from the library is shown", async ({
  lab,
}) => {
  const { page } = lab;
  await openFile(
    lab,
    "bad.jsonc",
    '{ "scenario": 1,\n "title": "T",\n "steps": [{ "do": "jump" }], "more": 1 }',
  );
  const toast = page.getByTestId("toasts").getByRole("alert");
  await expect(toast).toContainText("The scenario bad.jsonc cannot be opened:");
  await expect(toast).toContainText('line 3, column 20: "do" of a step is one of note, run');
  await expect(page.getByTestId("pane-scenario")).toHaveCount(0);

  await openFile(lab, "mine.jsonc", MINE);
  const pane = page.getByTestId("pane-scenario");
  await expect(pane.getByRole("heading", { name: "Mine <b>" })).toBeVisible();
  await page.getByTestId("scenario-library").click();
  await expect(pane.getByRole("heading", { name: "Mine <b>" })).toHaveCount(0);
  await openFile(lab, "mine.jsonc", MINE);
  await expect(pane.getByRole("heading", { name: "Mine <b>" })).toBeVisible();

  // Markdown without HTML; a link asks before it opens, and only the web's are links.
  await expect(pane).toContainText("<i>raw</i>");
  await expect(pane).toContainText("[b](javascript:alert(1))");
  const asked: string[] = [];
  page.on("dialog", (dialog) => {
    asked.push(dialog.message());
    void dialog.dismiss();
  });
  await pane.getByRole("button", { name: "a", exact: true }).click();
  expect(asked.join()).toContain("https://example.org/");
  expect(page.context().pages().length).toBe(1);

  await page.getByTestId("scenario-all").click();
  await expect(page.getByTestId("scenario-verdict")).toHaveText("1 of 1 predictions failed");
  await expect(page.getByTestId("prediction")).toContainText("predicted 1");
});

test("the palette begins with what one does most, and ends with what cannot be done now", async ({ lab }) => {
  const { page } = lab;
  await page.getByTestId("action-palette").click();
  const rows = page.getByTestId("palette").getByRole("option");
  await expect(rows.first()).toContainText("Run");
  await expect(rows.nth(1)).toContainText("Step one instruction");
  const off = await rows.evaluateAll((all) => all.map((row) => row.getAttribute("aria-disabled") === "true"));
  const firstOff = off.indexOf(true);
  expect(firstOff).toBeGreaterThan(20);
  expect(off.slice(firstOff).every(Boolean)).toBe(true);
});

test("the field's words stand in the window, accessible in both themes", async ({ lab }) => {
  const { page } = lab;
  await command(lab, "Words");
  await expect(page.getByTestId("words")).toContainText("(gfn, role) is its key");
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page })
      .setLegacyMode(true)
      .include("[data-testid=words]")
      .analyze();
    expect(violations.map((one) => one.id)).toEqual([]);
  }
});
