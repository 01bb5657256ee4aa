/** The memory editor by hand: typing, taking back, and what the keyboard means in its fields. */
import { expect, test } from "./lib/lab.ts";

const AT = 0x30_0000;

test("typed digits become one store, which can be taken back, but not in another machine", async ({
  lab,
}) => {
  const { page, machine } = lab;
  const read = async () => {
    const { bytes } = await machine.view({ kind: "memory", space: "gpa", address: AT, length: 4 });
    return new DataView(Uint8Array.from(Object.values(bytes)).buffer).getUint32(0, true);
  };
  const before = await read();
  await page.getByTestId("memory-space").getByText("gpa").click();
  await page.getByTestId("memory-cells").selectOption("4");
  await page.getByTestId("memory-go").fill(AT.toString(16));
  await page.getByTestId("memory-go").press("Enter");
  const write = async () => {
    await page.keyboard.type("c0ffee00");
    await page.keyboard.press("Enter");
    await expect(page.getByTestId("memory-foot")).toContainText("Wrote 4 bytes at 00300000");
    expect(await read()).toBe(0xc0ffee00);
  };
  await write();
  await page.keyboard.press("Control+z");
  await expect(page.getByTestId("memory-foot")).toContainText("Undone by the opposite edit");
  expect(await read()).toBe(before);

  await write();
  await expect(page.getByTestId("memory-undo")).toBeEnabled();
  await machine.command({ name: "reset" });
  await expect(page.getByTestId("memory-undo")).toBeDisabled();
  expect(await read()).toBe(before);
});

test("in the field for an address the text keys edit, and all others mean what they always mean", async ({
  lab,
}) => {
  const { page } = lab;
  const field = page.getByTestId("memory-go");
  await field.fill("1234");
  await field.press("Control+a");
  await field.press("5");
  await expect(field).toHaveValue("5");
  const count = page.getByTestId("instructions");
  const before = Number(await count.getAttribute("data-value"));
  await field.press("F10");
  await expect(count).toHaveAttribute("data-value", String(before + 1));
  await field.press("Control+k");
  await expect(page.getByTestId("palette-input")).toBeFocused();
  await page.keyboard.press("Escape");
  await field.fill("not hex");
  await field.press("Enter");
  await expect(page.getByTestId("memory-pane").getByRole("alert")).toContainText(
    "neither a hex number nor a register",
  );
  await field.press("Escape");
  await expect(page.getByTestId("memory-grid")).toBeFocused();
});
