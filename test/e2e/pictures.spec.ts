/** Pictures of both themes at two sizes, kept as artefacts; and nothing is cut off at the smaller one. */
import { statSync } from "node:fs";
import { artifact, expect, type Lab, test } from "./lib/lab.ts";

const SIZES = [
  { width: 1280, height: 800 },
  { width: 1920, height: 1080 },
];

async function resize(lab: Lab, size: { width: number; height: number }): Promise<void> {
  if (lab.app === null) await lab.page.setViewportSize(size);
  else
    await lab.app.evaluate(({ BrowserWindow }, to) => {
      BrowserWindow.getAllWindows()[0]?.setContentSize(to.width, to.height);
    }, size);
  await expect
    .poll(() => lab.page.evaluate(() => [innerWidth, innerHeight]))
    .toEqual([size.width, size.height]);
}

for (const theme of ["dark", "light"] as const)
  test(`the window in ${theme}`, async ({ lab }) => {
    const { page, machine } = lab;
    await page.emulateMedia({ colorScheme: theme });
    await machine.command({ name: "runToEvent", kinds: ["pte_write"] });
    await expect(page.getByTestId("last-write-what")).toBeVisible();
    for (const size of SIZES) {
      await resize(lab, size);
      await page.waitForTimeout(700);
      const path = artifact(lab.edition, `${theme}-${size.width}x${size.height}.png`);
      await page.screenshot({ path });
      expect(statSync(path).size).toBeGreaterThan(20_000);
      const over = await page.evaluate(() => [
        document.documentElement.scrollWidth - innerWidth,
        document.documentElement.scrollHeight - innerHeight,
      ]);
      expect(over).toEqual([0, 0]);
    }
  });
