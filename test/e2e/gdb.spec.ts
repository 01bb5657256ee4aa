/**
 * gdb at the window: off at first; allowed from the menu's command, at a port of this computer alone; what gdb does is
 * seen, what it holds is not moved by the window; sent away, the window has its machine back. The browser edition says
 * what it cannot do.
 */
import { connect, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { ACK, Deframer, frame } from "../../core/gdb/framing.ts";
import { expect, type Lab, test } from "./lib/lab.ts";

/** A client of the stub: packets by hand. */
class Gdb {
  private readonly deframer = new Deframer();
  private readonly packets: string[] = [];
  private wake: () => void = () => {};
  closed = false;

  private constructor(private readonly socket: Socket) {
    socket.on("data", (bytes) => {
      this.deframer.take(bytes, (arrival) => {
        if (arrival.kind === "packet") {
          this.packets.push(arrival.text);
          socket.write(ACK);
        }
        return true;
      });
      this.wake();
    });
    socket.on("close", () => {
      this.closed = true;
      this.wake();
    });
    socket.on("error", () => {});
  }

  static attach(port: number, host = "127.0.0.1"): Promise<Gdb> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host, noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => resolve(new Gdb(socket)));
    });
  }

  send(text: string): void {
    this.socket.write(frame(text));
  }

  interrupt(): void {
    this.socket.write(Uint8Array.of(3));
  }

  /** The next packet; rejects when the connection ends before. */
  async next(): Promise<string> {
    while (this.packets.length === 0) {
      if (this.closed) throw new Error("the connection is closed");
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.packets.shift()!;
  }

  async ask(text: string): Promise<string> {
    this.send(text);
    return this.next();
  }

  end(): void {
    this.socket.destroy();
  }
}

async function openDialog(lab: Lab): Promise<void> {
  await lab.page.getByTestId("action-palette").click();
  await lab.page.getByTestId("palette-input").fill("Allow gdb");
  // A command cannot be given before there is a machine.
  await expect(lab.page.getByRole("option", { name: /Allow gdb/ })).toBeEnabled();
  await lab.page.keyboard.press("Enter");
  await expect(lab.page.getByTestId("gdb")).toBeVisible();
}

test("gdb is allowed, attaches, moves the machine, and is sent away", async ({ lab }) => {
  const { page } = lab;
  await expect(page.getByTestId("gdb-state")).toHaveCount(0);
  await openDialog(lab);
  if (lab.edition === "browser") {
    await expect(page.getByTestId("gdb-desktop")).toContainText("gdb needs the desktop edition");
    await expect(page.getByTestId("gdb-allow")).toHaveCount(0);
    return;
  }
  await page.getByTestId("gdb-port").fill("70000");
  await expect(page.getByTestId("gdb-allow")).toBeDisabled();
  await page.getByTestId("gdb-port").fill("0");
  await page.getByTestId("gdb-allow").click();
  const door = page.getByTestId("gdb-door");
  await expect(door).toHaveAttribute("data-state", "listening");
  const port = Number(await door.getAttribute("data-port"));
  await expect(page.getByTestId("gdb")).toContainText(`target remote :${port}`);
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("gdb-state")).toContainText(`gdb may attach at :${port}`);
  // This computer's other addresses are not listened at.
  const others = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  for (const { address, internal, family } of others) {
    if (!internal && family === "IPv4") await expect(Gdb.attach(port, address)).rejects.toThrow();
  }

  const gdb = await Gdb.attach(port);
  const run = page.getByTestId("action-run");
  await expect(run).toBeEnabled();
  const eip = (await lab.machine.view({ kind: "cpu" })).eip;
  expect(await gdb.ask("?")).toMatch(/^T05/);
  await expect(page.getByTestId("gdb-state")).toContainText("gdb holds the machine");
  await expect(run).toBeDisabled();
  await expect(page.getByTestId("action-step")).toBeDisabled();
  await expect(lab.machine.command({ name: "run" })).rejects.toThrow("gdb is attached");

  expect(await gdb.ask("vCont;s")).toMatch(/^T05/);
  const after = (await lab.machine.view({ kind: "cpu" })).eip;
  expect(after).not.toBe(eip);
  await expect(page.getByTestId("eip")).toHaveText((after >>> 0).toString(16).padStart(8, "0"));
  expect(await gdb.ask("P0=78563412")).toBe("OK");
  await expect(page.getByTestId("reg-eax")).toHaveAttribute("data-value", "12345678");

  // A second one is told so.
  const second = await Gdb.attach(port);
  expect(await second.ask("qSupported")).toContain("another gdb is attached");
  second.end();

  // jmp to itself, at EIP: it runs until somebody stops it.
  expect(await gdb.ask(`M${after.toString(16)},2:ebfe`)).toBe("OK");
  gdb.send("vCont;c");
  await expect(page.getByTestId("machine-state")).toHaveAttribute("data-state", "running");
  gdb.interrupt();
  expect(await gdb.next()).toMatch(/^T02/);
  gdb.send("vCont;c");
  await expect(page.getByTestId("machine-state")).toHaveAttribute("data-state", "running");
  await page.getByTestId("action-pause").click();
  expect(await gdb.next()).toMatch(/^T02/);

  await page.getByTestId("gdb-state").click();
  await page.getByTestId("gdb-shut").click();
  await expect(page.getByTestId("gdb-allow")).toBeVisible();
  await expect.poll(() => gdb.closed).toBe(true);
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("gdb-state")).toHaveCount(0);
  await expect(run).toBeEnabled();
  await expect(Gdb.attach(port)).rejects.toThrow();
});
