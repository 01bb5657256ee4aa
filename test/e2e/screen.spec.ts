/** A PC in the window: its screen, what is typed on it, its devices; what stands there is what the machine holds. */
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { SCREEN_PROGRAM } from "../unit/lab/screen-program.ts";
import { artifact, expect, type Lab, test } from "./lib/lab.ts";

/** Opens the program as a flat image on a `pc` and runs it, past the dialog of the window. */
async function startPc(lab: Lab): Promise<void> {
  const answer = await lab.page.evaluate((base64) => {
    if (window.labProbe === undefined) throw new Error("the probe is not installed");
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const config = { machine: "pc" };
    return window.labProbe.ask({ name: "openImage", title: "a screen", bytes, kind: "flat", config });
  }, SCREEN_PROGRAM);
  expect(answer).toMatchObject({ ok: true });
  await lab.machine.command({ name: "run" });
}

async function accessible(page: Page, pane: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page })
    .setLegacyMode(true)
    .include(`[data-testid=pane-${pane}]`)
    .analyze();
  expect(violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target).join(" | ")}`)).toEqual(
    [],
  );
}

/** Row 4 of the screen, where the program writes the scan codes it read. */
async function codes(lab: Lab): Promise<string> {
  const { screen } = await lab.machine.view({ kind: "screen" });
  if (screen === null) throw new Error("there is no screen");
  return Array.from({ length: 80 }, (_, i) => String.fromCharCode(screen.cells[320 + i]! & 0xff))
    .join("")
    .trim();
}

test("a bare machine has no screen, and the pane says how one gets there", async ({ lab }) => {
  const { page } = lab;
  await page.getByTestId("action-palette").click();
  await page.getByTestId("palette-input").fill("Show Screen");
  await page.keyboard.press("Enter");
  const pane = page.getByTestId("pane-screen");
  await expect(pane).toContainText("This machine has no screen");
  await expect(pane).toContainText("--machine pc");
  await accessible(page, "screen");
  await expect(page.getByTestId("status-screen")).toHaveCount(0);

  // One press from a PC; before its first Run the black glass says what is to be done.
  await page.getByTestId("screen-start-pc").click();
  await expect(page.getByTestId("screen-fresh")).toHaveText("This PC has not run yet. Run (F5) starts it.");
  await accessible(page, "screen");
  await page.keyboard.press("F5");
  await expect(page.getByTestId("screen-fresh")).toHaveCount(0);
  await expect(page.getByTestId("outcome")).toContainText(
    "The guest has ended its run under policy B. The guest wrote 0 to port 0xf4. Its last line is end: 00000000 wrong. The audit is clean.",
    { timeout: 60_000 },
  );
  await expect(page.getByTestId("status-devices")).toContainText("sectors written");
});

test("a PC begins with its screen in front, and what is typed there reaches its keyboard", async ({
  lab,
}) => {
  test.setTimeout(90_000);
  const { page } = lab;
  await startPc(lab);
  const text = page.getByTestId("screen-text");
  await expect(text).toContainText("Hello from B8000");
  await expect(text).toContainText("╔═══");
  await expect(page.getByTestId("screen-size")).toHaveText("80×25");
  await expect(page.getByTestId("screen-canvas")).toBeVisible();

  // Keys with their make and break codes, those with E0, and those that the window itself would take.
  await page.getByTestId("screen").click();
  await expect(page.getByTestId("screen-way-out")).toContainText("Left Ctrl + left Alt");
  await page.keyboard.press("a");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("F5");
  const typed = "1e 9e e0 48 e0 c8 3f bf";
  await expect.poll(() => codes(lab)).toBe(typed);
  await expect(text).toContainText(typed);
  await expect(page.getByTestId("machine-state")).toHaveAttribute("data-state", "running");

  // What is held goes up when the focus goes.
  await page.keyboard.down("Shift");
  await page.getByTestId("screen-as-text").focus();
  await expect.poll(() => codes(lab)).toBe(`${typed} 2a aa`);
  await page.keyboard.up("Shift");

  // Ctrl and Alt together give the keyboard back; the guest saw both go up.
  await page.getByTestId("screen").focus();
  await page.keyboard.down("ControlLeft");
  await page.keyboard.down("AltLeft");
  await page.keyboard.up("AltLeft");
  await expect(page.getByTestId("screen-cad")).toBeFocused();
  await page.keyboard.up("ControlLeft");
  await expect.poll(() => codes(lab)).toBe(`${typed} 2a aa 1d 38 b8 9d`);
  await page.getByTestId("screen-cad").click();
  await expect.poll(() => codes(lab)).toContain("1d 38 e0 53 e0 d3 b8 9d");
  await accessible(page, "screen");
});

test("a text is typed stroke by stroke, and none is lost", async ({ lab }) => {
  const { page } = lab;
  await startPc(lab);
  await page.getByTestId("screen-type").click();
  const draft = page.getByTestId("screen-draft");
  await expect(draft).toBeFocused();
  // 24 keys of two codes each, in set 2 three bytes: more than the keyboard's buffer holds at once.
  await draft.fill("abcdefghijklmnopqrstuvwx");
  await lab.machine.command({ name: "pause" });
  await page.getByTestId("screen-send").click();
  await expect(page.getByTestId("screen-way-out")).toContainText("does not read its keyboard");
  await lab.machine.command({ name: "run" });
  await expect
    .poll(async () => (await codes(lab)).split(" ").length, { timeout: 20_000 })
    .toBeGreaterThan(20);
  await expect(page.getByTestId("screen-way-out")).not.toContainText("Typing");
  const { screen } = await lab.machine.view({ kind: "screen" });
  // Beyond 26 codes the program goes on in the next row.
  const rows = Array.from(screen!.cells.subarray(320, 480), (cell) => String.fromCharCode(cell & 0xff)).join(
    "",
  );
  const all = rows.split(/ +/).filter((code) => code !== "");
  const makes = all.filter((code) => Number.parseInt(code, 16) < 0x80);
  expect(makes.join(" ")).toBe("1e 30 2e 20 12 21 22 23 17 24 25 26 32 31 18 19 10 13 1f 14 16 2f 11 2d");
});

test("the devices: their registers are those of the machine, and the disks are offered where there are some", async ({
  lab,
}) => {
  test.setTimeout(90_000);
  const { page, machine } = lab;
  await startPc(lab);
  await page.getByTestId("status-devices").click();
  const view = await machine.view({ kind: "devices", open: ["pic", "vga"] });
  await expect(page.getByTestId("devices").locator("section")).toHaveCount(view.devices!.length);
  const imr = page.getByTestId("device-pic").locator("[data-register=IMR]").first();
  await expect(imr).toContainText("f9");
  await expect(imr).toContainText("let through: 1 (keyboard), 2 (cascade)");
  await page.getByTestId("device-head-vga").click();
  const low = page.getByTestId("device-vga").locator('[data-register="0f Cursor location low"]');
  await expect(low).toContainText("column 0, row 4");
  await page.getByTestId("screen").focus();
  await page.keyboard.press("a");
  await expect(low).toContainText("column 6, row 4");
  await expect(page.getByTestId("status-devices")).toContainText("2a");
  await accessible(page, "devices");
  await expect(page.getByTestId("save-disk-0")).toHaveCount(0);
  await page.getByTestId("devices-all").click();
  await expect(page.getByTestId("device-ioapic").locator("tr[data-register]")).toHaveCount(28);
});

for (const theme of ["dark", "light"] as const)
  test(`pictures of a PC in ${theme}`, async ({ lab }) => {
    test.setTimeout(90_000);
    const { page } = lab;
    await page.emulateMedia({ colorScheme: theme });
    await startPc(lab);
    await page.getByTestId("status-devices").click();
    await expect(page.getByTestId("device-pic")).toBeVisible();
    for (const size of [
      { width: 1280, height: 800 },
      { width: 1920, height: 1080 },
    ]) {
      if (lab.app === null) await page.setViewportSize(size);
      else
        await lab.app.evaluate(({ BrowserWindow }, to) => {
          BrowserWindow.getAllWindows()[0]?.setContentSize(to.width, to.height);
        }, size);
      await page.waitForTimeout(700);
      await page.screenshot({ path: artifact(lab.edition, `pc-${theme}-${size.width}x${size.height}.png`) });
      // The whole screen is to be seen, and the picture is not empty.
      const box = await page.getByTestId("screen-canvas").boundingBox();
      const glass = await page.getByTestId("screen").boundingBox();
      expect(box!.width).toBeLessThanOrEqual(glass!.width);
      expect(box!.width).toBeGreaterThan(390);
      const colours = await page.getByTestId("screen-canvas").evaluate((element) => {
        const canvas = element as HTMLCanvasElement;
        const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
        const seen = new Set<number>();
        for (let i = 0; i < data.length; i += 4)
          seen.add((data[i]! << 16) | (data[i + 1]! << 8) | data[i + 2]!);
        // Paper, yellow, white, and the sixteen.
        return [0x0000aa, 0xffff55, 0xffffff, 0xaa5500, 0x55ff55].every((colour) => seen.has(colour));
      });
      expect(colours).toBe(true);
    }
  });
