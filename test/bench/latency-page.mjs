/**
 * What the latency bench puts into the page: stopwatches on what the DOM shows. Every function here is sent to the
 * page as text, so each stands alone. All times are milliseconds since the epoch.
 */

/** Installs `window.bench`. Runs in the page, once, after the application is there. */
export function installStopwatches() {
  const bridge = window.quadrant;
  const now = () => performance.timeOrigin + performance.now();
  const byTestId = (id) => document.querySelector(`[data-testid="${id}"]`);
  const stamps = [];
  const keys = [];
  const longTasks = [];
  let nextId = 2 ** 40;
  let watching = null;
  let pressed = null;

  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) longTasks.push(entry.duration);
  }).observe({ entryTypes: ["longtask"] });

  /** The cell at an address, by the row's own gutter: whatever row shows it now. */
  function cellAt(address) {
    for (const row of byTestId("memory-grid").querySelectorAll(".row"))
      if (Number.parseInt(row.querySelector(".gutter").textContent, 16) === address)
        return row.querySelector(".cell");
    return null;
  }
  const cursorLook = () =>
    `${byTestId("memory-grid").querySelector("[id$=-cursor]")?.outerHTML} ${byTestId("memory-foot").textContent}`;

  window.bench = {
    /** Sends a command; listens only as long as the answer takes, so that no listener adds to what is measured. */
    ask(command) {
      const id = nextId++;
      return new Promise((resolve, reject) => {
        const stop = bridge.onMessage((message) => {
          if (message.type !== "reply" || message.id !== id) return;
          stop();
          if (message.ok) resolve(message.value);
          else reject(new Error(message.error));
        });
        bridge.post({ type: "command", id, command });
      });
    },

    /** Milliseconds between animation frames, median of `count`, while nothing else happens. */
    frameInterval(count) {
      return new Promise((resolve) => {
        const gaps = [];
        let last = null;
        const step = (time) => {
          if (last !== null) gaps.push(time - last);
          last = time;
          if (gaps.length < count) requestAnimationFrame(step);
          else resolve(gaps.sort((a, b) => a - b)[count >> 1]);
        };
        requestAnimationFrame(step);
      });
    },

    /** Notes each new text of the cell at `address`, and the first animation frame that begins after the DOM had it. */
    watch(address) {
      const cell = cellAt(address);
      if (cell === null) throw new Error("the stamp is not on the screen");
      let text = cell.textContent;
      pressed = null;
      stamps.length = 0;
      keys.length = 0;
      longTasks.length = 0;
      watching = new MutationObserver(() => {
        const shown = cell.textContent;
        if (shown !== text) {
          text = shown;
          const stamp = { value: Number.parseInt(shown, 16), dom: now(), frame: 0 };
          requestAnimationFrame(() => {
            stamp.frame = now();
            stamps.push(stamp);
          });
        }
        answered();
      });
      watching.observe(byTestId("memory-pane"), {
        subtree: true,
        childList: true,
        characterData: true,
        attributes: true,
      });
    },

    /** What was seen since `watch`. */
    collect() {
      watching.disconnect();
      return { stamps, keys, longTasks, hidden: document.hidden };
    },

    /** Milliseconds from a press on the button to the first frame that shows the machine's new state. */
    async press(button, state) {
      const target = byTestId(`action-${button}`);
      const begun = performance.now();
      target.click();
      while (byTestId("machine-state").dataset.state !== state) {
        if (performance.now() - begun > 5000) throw new Error(`${button} was not answered within 5 s`);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await new Promise((resolve) => requestAnimationFrame(resolve));
      return performance.now() - begun;
    },
  };

  /** The first change of the cursor's cell after a key counts as the answer to it. */
  function answered() {
    if (pressed === null || cursorLook() === pressed.look) return;
    const { key, time } = pressed;
    pressed = null;
    requestAnimationFrame(() => keys.push({ key, ms: now() - time }));
  }
  addEventListener(
    "keydown",
    (event) => {
      // Counted from when the browser got the key, not from when the page had time for it.
      if (pressed !== null) keys.push({ key: pressed.key, ms: null });
      pressed = { key: event.key, time: performance.timeOrigin + event.timeStamp, look: cursorLook() };
    },
    { capture: true },
  );
}
