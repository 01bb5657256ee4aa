/**
 * The window's client of the lab: commands answered by promises, views as reactive handles, the machine's status.
 * It keeps no copy of the machine that anybody edits: what a view holds is what the lab said last.
 *
 * A push is applied at once, and acknowledged in the animation frame that follows the DOM's update, so that
 * the host never sends faster than the window shows.
 */
import { getContext, setContext, tick, untrack } from "svelte";
import type {
  AuditReport,
  ClientMessage,
  Command,
  Description,
  EditResult,
  HostMessage,
  ScenarioListing,
  Status,
  TraceText,
  ViewData,
  ViewKind,
  ViewRequest,
} from "../core/lab/protocol/index.ts";
import type { Bridge } from "./bridge.ts";
import { toasts } from "./toasts.svelte.ts";

/** What each command answers with; a command that is not listed answers nothing of use. */
interface Answers {
  listScenarios: readonly ScenarioListing[];
  describe: Description;
  audit: AuditReport;
  edit: EditResult;
  saveMachine: Uint8Array;
  keys: number;
  saveDisk: Uint8Array;
  find: number | null;
  exportTrace: TraceText;
}
type AnswerOf<C extends Command> = C["name"] extends keyof Answers ? Answers[C["name"]] : unknown;

export type DataOf<K extends ViewKind> = Extract<ViewData, { kind: K }>;
export type RequestOf<K extends ViewKind> = Extract<ViewRequest, { kind: K }>;

/** An open view. `data` and `error` are reactive; the last data stays visible while a new request is on its way. */
export class View<K extends ViewKind> {
  data = $state.raw<DataOf<K> | null>(null);
  error = $state<string | null>(null);
  /** Counts the pushes that reached this view: a key for glowing what changed. */
  pushes = $state(0);

  readonly #lab: Lab;
  readonly id: number;
  request: RequestOf<K>;

  constructor(lab: Lab, id: number, request: RequestOf<K>) {
    this.#lab = lab;
    this.id = id;
    this.request = request;
  }

  /** Asks for something else under the same handle. Asking for the same again costs nothing. */
  update(request: RequestOf<K>): void {
    if (JSON.stringify(request) === JSON.stringify(this.request)) return;
    this.request = request;
    this.#lab.requestView(this.id, request);
  }

  close(): void {
    this.#lab.closeView(this.id);
  }

  receive(data: DataOf<K>): void {
    this.data = data;
    this.error = null;
    this.pushes++;
  }
}

/** How the dock tells a pane whether it can be seen; a hidden pane's views are closed, so that it costs nothing. */
const PANE_VISIBLE = Symbol("pane is visible");
export interface PaneVisibility {
  readonly visible: boolean;
}
export function providePaneVisibility(visibility: PaneVisibility): void {
  setContext(PANE_VISIBLE, visibility);
}

export class Lab {
  status = $state.raw<Status | null>(null);
  description = $state.raw<Description | null>(null);
  /** Why the host ended, or null while it runs. */
  crash = $state<string | null>(null);

  #bridge: Bridge | null = null;
  #nextId = 1;
  #nextView = 1;
  readonly #waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (reason: Error) => void }
  >();
  readonly #views = new Map<number, View<ViewKind>>();
  readonly #unsubscribe: (() => void)[] = [];

  /** Begins to talk. Called once, before anything is mounted. */
  connect(bridge: Bridge): void {
    this.#bridge = bridge;
    this.#unsubscribe.push(
      bridge.onMessage((message) => this.#receive(message)),
      bridge.onHostCrash((reason) => this.#crashed(reason)),
    );
    this.#post({ type: "hello" });
    this.#describe();
  }

  disconnect(): void {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#bridge = null;
  }

  get bridge(): Bridge {
    if (this.#bridge === null) throw new Error("The lab is not connected yet.");
    return this.#bridge;
  }

  /** Sends a command; resolves with its answer, rejects with the sentence that says what was wrong. */
  command<C extends Command>(command: C): Promise<AnswerOf<C>> {
    const id = this.#nextId++;
    return new Promise<AnswerOf<C>>((resolve, reject) => {
      if (this.crash !== null) {
        reject(new Error("The machine's host has ended; start it again first."));
        return;
      }
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#post({ type: "command", id, command });
    });
  }

  /** Sends a command whose refusal is shown as a message; answers undefined then. */
  async try<C extends Command>(command: C): Promise<AnswerOf<C> | undefined> {
    try {
      return await this.command(command);
    } catch (reason) {
      toasts.error(reason);
      return undefined;
    }
  }

  /** Opens a view that the caller closes. Panes use `useView`, which does so by itself. */
  openView<K extends ViewKind>(request: RequestOf<K>): View<K> {
    const view = new View<K>(this, this.#nextView++, request);
    this.#views.set(view.id, view as unknown as View<ViewKind>);
    this.#post({ type: "view", view: view.id, request });
    return view;
  }

  requestView(id: number, request: ViewRequest): void {
    if (this.#views.has(id)) this.#post({ type: "view", view: id, request });
  }

  closeView(id: number): void {
    if (this.#views.delete(id) && this.crash === null) this.#post({ type: "close", view: id });
  }

  /** Starts a new host after a crash and opens every view again. */
  async restart(): Promise<void> {
    await this.bridge.restartHost();
    this.crash = null;
    this.#post({ type: "hello" });
    for (const view of this.#views.values())
      this.#post({ type: "view", view: view.id, request: view.request });
    this.#describe();
  }

  #describe(): void {
    this.command({ name: "describe" }).then(
      (description) => {
        this.description = description;
      },
      (reason: unknown) => toasts.error(reason),
    );
  }

  #post(message: ClientMessage): void {
    if (this.crash === null) this.#bridge?.post(message);
  }

  #receive(message: HostMessage): void {
    switch (message.type) {
      case "reply": {
        const waiting = this.#waiting.get(message.id);
        this.#waiting.delete(message.id);
        if (message.ok) waiting?.resolve(message.value);
        else waiting?.reject(new Error(message.error));
        break;
      }
      case "push": {
        if (message.status !== null) this.status = message.status;
        for (const { view, data } of message.views) this.#views.get(view)?.receive(data as DataOf<ViewKind>);
        void this.#acknowledge(message.seq);
        break;
      }
      case "viewError": {
        const view = this.#views.get(message.view);
        if (view !== undefined) view.error = message.error;
        break;
      }
      case "refused":
        toasts.error(message.error);
        break;
    }
  }

  async #acknowledge(seq: number): Promise<void> {
    await tick();
    // A hidden window gets no animation frames; it still has to answer, only more slowly.
    if (document.hidden) await new Promise((resolve) => setTimeout(resolve, 200));
    else await new Promise((resolve) => requestAnimationFrame(resolve));
    this.#post({ type: "ack", seq });
  }

  #crashed(reason: string): void {
    this.crash = reason;
    for (const { reject } of this.#waiting.values())
      reject(new Error("The machine's host ended before it answered."));
    this.#waiting.clear();
  }
}

/** The window's one lab. */
export const lab = new Lab();

/**
 * A view for as long as the component lives and its pane is visible. `request` is read reactively: when what it
 * reads changes, the view asks anew; null asks for nothing. Call it while the component initialises.
 */
export function useView<K extends ViewKind>(
  request: () => RequestOf<K> | null,
): {
  readonly data: DataOf<K> | null;
  readonly error: string | null;
  readonly pushes: number;
} {
  const pane = getContext<PaneVisibility | undefined>(PANE_VISIBLE);
  let view = $state.raw<View<K> | null>(null);
  let last = $state.raw<DataOf<K> | null>(null);
  const wanted = $derived(pane === undefined || pane.visible ? request() : null);

  $effect(() => {
    const asked = wanted;
    untrack(() => {
      if (asked === null) {
        last = view?.data ?? last;
        view?.close();
        view = null;
      } else if (view === null) view = lab.openView<K>(asked);
      else view.update(asked);
    });
  });
  $effect(() => () => untrack(() => view?.close()));

  return {
    get data() {
      return view?.data ?? last;
    },
    get error() {
      return view?.error ?? null;
    },
    get pushes() {
      return view?.pushes ?? 0;
    },
  };
}
