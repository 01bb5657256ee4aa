/**
 * Asks the machine itself, past the window: commands and views through the same bridge, with ids of its own. What a
 * test reads in the DOM is compared with what these answer.
 */
import type { Page } from "@playwright/test";
import type {
  Command,
  HostMessage,
  ViewData,
  ViewKind,
  ViewRequest,
} from "../../../core/lab/protocol/index.ts";

/** Ids no window uses: its own count up from 0. */
const FIRST_ID = 2 ** 40;

export type Answer<T> = { ok: true; value: T } | { ok: false; error: string };

/** What is put into the page beside the application. */
interface Probe {
  next: number;
  /** Messages that answered nothing this probe asked and were refused. */
  refused: string[];
  ask(command: unknown): Promise<Answer<unknown>>;
  look(request: unknown): Promise<Answer<ViewData>>;
}

declare global {
  interface Window {
    labProbe?: Probe;
    cspViolations?: string[];
  }
}

/** Puts the probe into the page; again after the page was loaded anew. */
export async function installProbe(page: Page): Promise<void> {
  await page.waitForFunction(() => window.quadrant !== undefined);
  await page.evaluate((first) => {
    const bridge = window.quadrant;
    if (bridge === undefined || window.labProbe !== undefined) return;
    /** No answer is an answer too: it must not cost the test's whole time. */
    const late = <T>(resolve: (answer: Answer<T>) => void) =>
      setTimeout(() => resolve({ ok: false, error: "there was no answer within 15 s" }), 15_000);
    const waiting = new Map<number, (answer: Answer<unknown>) => void>();
    const looking = new Map<number, (answer: Answer<ViewData>) => void>();
    const probe: Probe = {
      next: first,
      refused: [],
      ask(command) {
        const id = probe.next++;
        return new Promise((resolve) => {
          waiting.set(id, resolve);
          late(resolve);
          bridge.post({ type: "command", id, command: command as Command });
        });
      },
      look(request) {
        const view = probe.next++;
        return new Promise((resolve) => {
          looking.set(view, (answer) => {
            looking.delete(view);
            bridge.post({ type: "close", view });
            resolve(answer);
          });
          late(resolve);
          bridge.post({ type: "view", view, request: request as ViewRequest });
        });
      },
    };
    bridge.onMessage((message: HostMessage) => {
      switch (message.type) {
        case "reply":
          waiting.get(message.id)?.(message.ok ? message : { ok: false, error: message.error });
          waiting.delete(message.id);
          break;
        case "push":
          for (const { view, data } of message.views) looking.get(view)?.({ ok: true, value: data });
          break;
        case "viewError":
          looking.get(message.view)?.({ ok: false, error: message.error });
          break;
        case "refused":
          probe.refused.push(message.error);
          break;
      }
    });
    window.labProbe = probe;
  }, FIRST_ID);
}

export class Machine {
  constructor(private readonly page: Page) {}

  /** Sends a command and gives its answer. @throws with the machine's sentence when it refuses */
  async command<T = unknown>(command: Command): Promise<T> {
    const answer = await this.tryCommand<T>(command);
    if (!answer.ok) throw new Error(`${command.name} was refused: ${answer.error}`);
    return answer.value;
  }

  async tryCommand<T = unknown>(command: unknown): Promise<Answer<T>> {
    return (await this.page.evaluate((what) => {
      if (window.labProbe === undefined) throw new Error("the probe is not installed");
      return window.labProbe.ask(what);
    }, command)) as Answer<T>;
  }

  /** Opens a view, takes its first data and closes it. @throws with the machine's sentence when it refuses */
  async view<K extends ViewKind>(
    request: Extract<ViewRequest, { kind: K }>,
  ): Promise<Extract<ViewData, { kind: K }>> {
    const answer = (await this.page.evaluate((what) => {
      if (window.labProbe === undefined) throw new Error("the probe is not installed");
      return window.labProbe.look(what);
    }, request)) as Answer<Extract<ViewData, { kind: K }>>;
    if (!answer.ok) throw new Error(`the ${request.kind} view was refused: ${answer.error}`);
    return answer.value;
  }
}
