/** What a page may not do, in both editions: the policy holds, Node is out of reach, nonsense is refused in words. */
import { expect, test } from "./lib/lab.ts";
import { malformedMessages } from "./lib/malformed.ts";

const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'";

test("the page carries the policy as a header, and the policy is in force", async ({ lab }) => {
  const header = await lab.page.evaluate(async () =>
    (await fetch(location.href)).headers.get("Content-Security-Policy"),
  );
  expect(header).toBe(CSP);
  // A violation on purpose shows that the counter counts; then it starts anew.
  const counted = await lab.page.evaluate(async () => {
    await fetch("https://example.invalid/").catch(() => null);
    const style = document.createElement("div");
    style.setAttribute("style", "color: red");
    document.body.append(style);
    style.remove();
    await new Promise((resolve) => setTimeout(resolve, 200));
    return window.cspViolations?.splice(0);
  });
  expect(counted?.some((line) => line.startsWith("connect-src"))).toBe(true);
  expect(counted?.some((line) => line.startsWith("style-src"))).toBe(true);
});

test("neither Node nor Electron is in reach of the page", async ({ lab }) => {
  const reachable = await lab.page.evaluate(() =>
    ["require", "process", "module", "Buffer", "global", "__dirname", "electron", "ipcRenderer"].filter(
      (name) => name in globalThis,
    ),
  );
  expect(reachable).toEqual([]);
});

test("1000 malformed messages are each refused in words, and the lab answers the next right one", async ({
  lab,
}) => {
  const before = await lab.machine.view({ kind: "cpu" });
  const { answers, sentences } = await lab.page.evaluate(async (messages) => {
    const bridge = window.quadrant;
    if (bridge === undefined) throw new Error("there is no bridge");
    const sentences: string[] = [];
    const stop = bridge.onMessage((message) => {
      if (message.type === "refused") sentences.push(message.error);
      // The messages' own ids are below the probe's and above the window's.
      else if (message.type === "reply" && message.id >= 1e9 && message.id < 2 ** 40)
        sentences.push(message.ok ? "" : message.error);
    });
    for (const message of messages) bridge.post(message as never);
    for (let waited = 0; sentences.length < messages.length && waited < 20_000; waited += 50)
      await new Promise((resolve) => setTimeout(resolve, 50));
    stop();
    return { answers: sentences.length, sentences };
  }, malformedMessages(1000));
  expect(answers).toBe(1000);
  expect(sentences.filter((sentence) => !/[a-z]{2,} /i.test(sentence))).toEqual([]);
  const after = await lab.machine.view({ kind: "cpu" });
  expect(after).toEqual({ ...before, changed: after.changed });
  const description = await lab.machine.command<{ policies: { id: string }[] }>({ name: "describe" });
  expect(description.policies.map((policy) => policy.id)).toContain("B");
});
