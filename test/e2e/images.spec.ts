/** Opening an image with what goes along with it: the dialog, a kernel of the PC, and the sentence for what cannot be. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tellingKernel } from "../unit/images/pc-programs.ts";
import { expect, type Lab, test } from "./lib/lab.ts";

/** Presses a button and gives the file that is asked for. */
async function choose(lab: Lab, press: () => Promise<void>, path: string): Promise<void> {
  if (lab.app === null) {
    const asked = lab.page.waitForEvent("filechooser");
    await press();
    await (await asked).setFiles(path);
    return;
  }
  await lab.app.evaluate(({ dialog }, file) => {
    dialog.showOpenDialog = () => Promise.resolve({ canceled: false, filePaths: [file] });
  }, path);
  await press();
}

test("a Linux kernel starts on a pc with its command line and its initrd; a wrong file is refused in words", async ({
  lab,
}) => {
  const { page } = lab;
  // Interception begins some time after the first listener: before anything is pressed.
  page.on("filechooser", () => {});
  await expect(page.getByTestId("machine-state")).toContainText("Paused");
  const folder = mkdtempSync(join(tmpdir(), "quadrant-images-"));
  try {
    const file = (name: string, bytes: Uint8Array) => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    await choose(lab, () => page.keyboard.press("Control+o"), file("bzImage", tellingKernel()));
    const dialog = page.getByTestId("open-image");
    await expect(dialog).toBeVisible();
    await dialog.getByLabel("Kind", { exact: true }).selectOption("flat");
    await expect(dialog.getByTestId("image-initrd")).toHaveCount(0);
    await dialog.getByLabel("Kind", { exact: true }).selectOption("auto");
    await dialog.getByLabel("Command line").fill("hello");
    const initrd = dialog.getByTestId("image-initrd").getByRole("button", { name: "Choose Initrd" });
    await choose(lab, () => initrd.click(), file("initrd", Uint8Array.of(0x21)));
    await expect(dialog.getByTestId("image-initrd")).toContainText("initrd");
    const rom = dialog.getByTestId("image-rom");
    await choose(
      lab,
      () => rom.getByRole("button", { name: "Choose ROM" }).click(),
      file("rom", Uint8Array.of(1)),
    );
    await expect(rom).toContainText("1 bytes");
    await dialog.getByRole("button", { name: "Open", exact: true }).click();
    await expect(dialog.getByRole("alert")).toContainText("a ROM has 65536, 131072, 262144");
    await rom.getByRole("button", { name: "Leave ROM out" }).click();
    await dialog.getByRole("button", { name: "Open", exact: true }).click();
    await expect(dialog).toBeHidden();
    await page.getByTestId("action-run").click();
    await expect(page.getByTestId("machine-state")).toContainText("Halted");
    const report = (await lab.machine.command({ name: "report" })) as {
      serial: string;
      image: { kind: string };
      machine: { kind: string };
    };
    expect(report.serial).toBe("\x10\x18hello!");
    expect([report.image.kind, report.machine.kind]).toEqual(["linux", "pc"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
