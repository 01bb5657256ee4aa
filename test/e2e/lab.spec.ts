/** A person's first minutes with the lab: what the window shows is what the machine says, before and after each act. */
import type { Page } from "@playwright/test";
import type { AuditReport } from "../../core/lab/protocol/index.ts";
import { expect, type Lab, test } from "./lib/lab.ts";

interface Report {
  instructions: number;
  policy: string;
  stop: { reason: string };
  counters: Record<string, number>;
  serial: string;
}

const hex = (value: number, digits = 8) => (value >>> 0).toString(16).padStart(digits, "0");
const NAMES = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];

/** Brings a pane to the front by the command palette, as a person would from anywhere. */
async function showPane(page: Page, title: string): Promise<void> {
  await page.getByTestId("action-palette").click();
  await page.getByTestId("palette-input").fill(`Show ${title}`);
  await page.keyboard.press("Enter");
}

const still = (lab: Lab) =>
  expect(lab.page.getByTestId("machine-state")).not.toHaveAttribute("data-state", "running", {
    timeout: 30_000,
  });

/** The registers in the window are those of the machine. */
async function expectRegisters(lab: Lab): Promise<void> {
  const cpu = await lab.machine.view({ kind: "cpu" });
  await expect(lab.page.getByTestId("eip")).toHaveText(hex(cpu.eip));
  for (const [index, name] of NAMES.entries())
    await expect(lab.page.getByTestId(`reg-${name}`)).toHaveAttribute(
      "data-value",
      hex(cpu.regs[index] ?? -1),
    );
}

test("the first start: the quadrant guest, paused before its first write, and what to press", async ({
  lab,
}) => {
  const { page, machine } = lab;
  await expect(page.getByTestId("machine-state")).toHaveAttribute("data-state", "paused");
  await expect(page.getByTestId("introduction").getByRole("listitem").first()).toBeVisible();
  await expectRegisters(lab);
  const table = await machine.view({ kind: "table", gfn: null, level: null });
  const report = await machine.command<Report>({ name: "report" });
  expect(report.policy).toBe("B");
  expect(report.counters.mmu_pte_write).toBe(0);
  await expect(page.getByTestId("counter-mmu_pte_write")).toHaveText("0");
  expect(table.entrySize).toBe(4);
});

test("a step retires one instruction and every register in the window follows", async ({ lab }) => {
  const { page, machine } = lab;
  const before = await machine.command<Report>({ name: "report" });
  await page.getByTestId("action-step").click();
  await expect(page.getByTestId("instructions")).toHaveAttribute(
    "data-value",
    String(before.instructions + 1),
  );
  const after = await machine.command<Report>({ name: "report" });
  expect(after.instructions).toBe(before.instructions + 1);
  await expectRegisters(lab);
});

test("Run shows the first write to a table, what it touched and what it skipped", async ({ lab }) => {
  const { page, machine } = lab;
  await machine.command({ name: "runToEvent", kinds: ["pte_write"] });
  await still(lab);
  const table = await machine.view({ kind: "table", gfn: null, level: null });
  const write = table.lastWrite;
  if (write === null) throw new Error("the machine knows of no write");
  const entry = Math.floor(write.offset / table.entrySize);
  await expect(page.getByTestId("last-write-what")).toContainText(`${write.bytes} bytes`);
  await expect(page.getByTestId("last-write-what")).toContainText(
    `${table.level === 1 ? "PTE" : "PDE"} ${entry}`,
  );
  const skipped = write.pages.filter((one) => one.quadrant !== one.role && one.npte === 0).length;
  expect(skipped).toBeGreaterThanOrEqual(0);
  const report = await machine.command<Report>({ name: "report" });
  expect(report.counters.mmu_pte_write).toBeGreaterThan(0);
  await expect(page.getByTestId("counter-mmu_pte_write")).toHaveText(String(report.counters.mmu_pte_write));
});

test("Run to the end: counters and console are the machine's", async ({ lab }) => {
  const { page, machine } = lab;
  await page.getByTestId("action-run").click();
  // Not merely "not running": that is so until the click has reached the machine, too.
  await expect(page.getByTestId("machine-state")).toHaveAttribute("data-state", "stopped", {
    timeout: 30_000,
  });
  const report = await machine.command<Report>({ name: "report" });
  expect(report.instructions).toBeGreaterThan(0);
  const { rows } = await machine.view({ kind: "counters" });
  await showPane(page, "Counters");
  for (const row of rows)
    await expect(page.getByTestId(`count-${row.name}`)).toHaveAttribute("data-value", String(row.value));
  await showPane(page, "Console");
  const said = report.serial.replace(/\r\n?/g, "\n").trim();
  expect(said.length).toBeGreaterThan(0);
  await expect.poll(async () => (await page.getByTestId("console").textContent())?.trim()).toBe(said);
  await expect(page.getByTestId("audit-state")).toHaveText(/audit clean/);
});

test("an entry typed into memory is one store of the machine, and the audit stays clean", async ({ lab }) => {
  const { page, machine } = lab;
  await machine.command({ name: "runToEvent", kinds: ["pte_write"] });
  await still(lab);
  const table = await machine.view({ kind: "table", gfn: null, level: 1 });
  const free = table.entries.indexOf(0);
  const address = table.gfn * 4096 + free * 4;
  await showPane(page, "Memory");
  await page.getByTestId("memory-space").getByRole("radio").nth(1).click();
  await page.getByTestId("memory-go").fill(hex(address));
  await page.getByTestId("memory-go").press("Enter");
  await expect(page.getByTestId("memory-cursor")).toContainText(hex(address));
  const before = await machine.command<Report>({ name: "report" });
  await page.getByTestId("memory-grid").focus();
  await page.keyboard.type("00155067");
  await page.keyboard.press("Enter");
  await expect
    .poll(async () => {
      const view = await machine.view({ kind: "memory", space: "gpa", address, length: 4 });
      return Array.from(view.bytes);
    })
    .toEqual([0x67, 0x50, 0x15, 0x00]);
  const after = await machine.command<Report>({ name: "report" });
  expect(after.counters.mmu_pte_write).toBe((before.counters.mmu_pte_write ?? 0) + 1);
  const audit = await machine.command<AuditReport>({ name: "audit" });
  expect(audit.violations).toEqual([]);
});

test("another policy and another guest are chosen in the bar", async ({ lab }) => {
  const { page, machine } = lab;
  await page.getByTestId("policy-picker").click();
  await page.locator("[role=menuitemradio][data-value=C]").click();
  await expect.poll(async () => (await machine.command<Report>({ name: "report" })).policy).toBe("C");
  await page.getByTestId("guest-picker").click();
  await page.locator("[role=menuitemradio][data-value=pae-kernel]").click();
  await expect.poll(async () => (await machine.view({ kind: "cpu" })).eip).not.toBe(0);
  await page.getByTestId("action-run").click();
  await still(lab);
  const report = await machine.command<Report>({ name: "report" });
  expect(report.policy).toBe("C");
  expect(report.serial.length).toBeGreaterThan(0);
  const cpu = await machine.view({ kind: "cpu" });
  expect(cpu.paging).toBe("PAE");
});
