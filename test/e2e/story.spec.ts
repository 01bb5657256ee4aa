/** The story the lab exists for, as a person sees it: what a write touches and skips, and what D makes of it. */
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import {
  type AuditReport,
  PTE_WRITE_VERDICT,
  VERDICT_SKIPPED,
  VERDICT_TOUCHED,
} from "../../core/lab/protocol/index.ts";
import { expect, type Lab, test } from "./lib/lab.ts";

const hex = (value: number, digits = 8) => (value >>> 0).toString(16).padStart(digits, "0");

async function showPane(page: Page, title: string): Promise<void> {
  await page.getByTestId("action-palette").click();
  await page.getByTestId("palette-input").fill(`Show ${title}`);
  await page.keyboard.press("Enter");
}

/** Presses Step, and waits until the window shows one more instruction. */
async function step(lab: Lab): Promise<void> {
  const { page } = lab;
  const before = Number(await page.getByTestId("instructions").getAttribute("data-value"));
  await page.getByTestId("action-step").click();
  await expect(page.getByTestId("instructions")).toHaveAttribute("data-value", String(before + 1));
}

async function runToTheEnd(lab: Lab): Promise<void> {
  await lab.page.getByTestId("action-run").click();
  await expect(lab.page.getByTestId("machine-state")).toHaveAttribute("data-state", "stopped", {
    timeout: 30_000,
  });
}

test("one step: the write touches one spte in one quadrant and skips the other, and the window says so", async ({
  lab,
}) => {
  const { page, machine } = lab;
  const foretold = await machine.view({ kind: "table", gfn: null, level: null });
  expect(foretold.lastWrite).toBeNull();
  await expect(page.getByTestId("next-write-what")).toContainText("PTE 584");
  await step(lab);
  const table = await machine.view({ kind: "table", gfn: null, level: null });
  const pages = table.lastWrite?.pages ?? [];
  expect(pages.map((one) => PTE_WRITE_VERDICT[one.verdict]).sort()).toEqual(
    [PTE_WRITE_VERDICT[VERDICT_SKIPPED], PTE_WRITE_VERDICT[VERDICT_TOUCHED]].sort(),
  );
  const touched = pages.find((one) => one.verdict === VERDICT_TOUCHED);
  expect(touched).toMatchObject({ quadrant: 1, index: 72, npte: 1 });
  const verdicts = page.getByTestId("last-write-verdicts");
  await expect(verdicts).toContainText("spte 72 touched");
  await expect(verdicts).toContainText("skipped: wrong quadrant");
  const report = await machine.command<{ counters: Record<string, number> }>({ name: "report" });
  await expect(page.getByTestId("counter-quadrant_skipped")).toHaveText(
    String(report.counters.quadrant_skipped),
  );
});

test("under D the guest reads wrong words, the audit turns red and names the entry", async ({ lab }) => {
  const { page, machine } = lab;
  await page.getByTestId("policy-picker").click();
  await page.locator("[role=menuitemradio][data-value=D]").click();
  await expect
    .poll(async () => (await machine.command<{ policy: string }>({ name: "report" })).policy)
    .toBe("D");
  await runToTheEnd(lab);
  const report = await machine.command<{ serial: string; audit: AuditReport }>({ name: "report" });
  expect(report.serial).toContain("WRONG");
  const { violations } = report.audit;
  expect(violations.map((one) => one.invariant)).toContain("I9");
  await expect(page.getByTestId("audit-state")).not.toHaveText(/audit clean/);
  await showPane(page, "Audit");
  await expect(page.getByTestId("violation").first()).toBeVisible();
  const shown = await page.getByTestId("violation").allTextContents();
  expect(shown.some((text) => text.includes("I9"))).toBe(true);
  await showPane(page, "Console");
  await expect(page.getByTestId("console")).toContainText("WRONG");
});

test("a bit toggled in the inspector is one store of the machine, and the walk tells the new answer", async ({
  lab,
}) => {
  const { page, machine } = lab;
  const entry = 0x1234000 + 72 * 4;
  const gva = 0x08048000;
  await showPane(page, "Memory");
  await page.getByTestId("memory-space").getByRole("radio").nth(1).click();
  await page.getByTestId("memory-go").fill(hex(entry));
  await page.getByTestId("memory-go").press("Enter");
  await expect(page.getByTestId("inspector-title")).toContainText("PTE 72");
  const value = async () => {
    const { bytes } = await machine.view({ kind: "memory", space: "gpa", address: entry, length: 4 });
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  };
  const before = await value();
  expect(before & 4).toBe(4);
  const walk = () => machine.view({ kind: "walk", gva, access: "read", user: true });
  expect((await walk()).guest.ok).toBe(true);
  await page.getByTestId("entry-inspector").getByRole("switch", { name: /^U\b/ }).click();
  await expect.poll(value).toBe((before & ~4) >>> 0);
  await expect(page.getByTestId("inspector-value")).toHaveText(hex(before & ~4));
  const after = await walk();
  expect(after.guest.ok).toBe(false);
  expect(after.steps.find((one) => one.decides !== null)).toMatchObject({ side: "guest", decides: "U" });
  expect((await machine.command<AuditReport>({ name: "audit" })).violations).toEqual([]);
});

test("an address typed into Walk or Code is gone to; whoever comes to the field begins anew", async ({
  lab,
}) => {
  const { page } = lab;
  await showPane(page, "Walk");
  const gva = page.getByTestId("walk-gva");
  await expect(gva).toBeFocused();
  await page.keyboard.type("08248000");
  await page.keyboard.press("Enter");
  await expect(gva).toHaveValue("08248000");
  await expect(page.getByTestId("walk-step").nth(1)).toContainText("PTE 584");
  await gva.fill("xyz");
  await expect(page.getByTestId("pane-walk").getByRole("alert")).toHaveText(
    "“x” is not a hexadecimal digit.",
  );
  await gva.press("Enter");
  await gva.press("Escape");
  await expect(gva).toHaveValue("08248000");
  await showPane(page, "Code");
  const address = page.getByTestId("pane-code").getByRole("textbox");
  await address.click();
  await page.keyboard.type("1002f5");
  await page.keyboard.press("Enter");
  await expect(address).toHaveValue("001002f5");
  await expect(page.getByTestId("pane-code")).toContainText("stop:");
});

test("the Shadow pane lists the machine's shadow pages", async ({ lab }) => {
  const { page, machine } = lab;
  await showPane(page, "Shadow");
  const { pages, free, total } = await machine.view({ kind: "shadowPages" });
  expect(pages.length + free).toBe(total);
  await expect(page.getByTestId("shadow-pool")).toContainText(`${pages.length} of ${total}`);
  const quadrants = pages.filter((one) => one.gfn === 0x1234).map((one) => one.quadrant);
  expect(quadrants.sort()).toEqual([0, 1]);
  await page.getByTestId("shadow-filter").fill("1234");
  const rows = page.getByTestId("shadow-pane").getByRole("row").filter({ hasText: "1234" });
  await expect(rows).toHaveCount(2);
});

for (const theme of ["dark", "light"] as const) {
  test(`nothing serious for a screen reader's user, in ${theme}`, async ({ lab }) => {
    const { page } = lab;
    await page.emulateMedia({ colorScheme: theme });
    await step(lab);
    const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze();
    const serious = violations.filter((one) => one.impact === "serious" || one.impact === "critical");
    expect(serious.map((one) => `${one.id}: ${one.nodes.map((node) => node.target).join(" | ")}`)).toEqual(
      [],
    );
  });
}
