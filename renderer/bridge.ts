/**
 * The window's one way out: messages to and from the host that runs the machine, files, and menu commands.
 * Both editions answer the same interface: the desktop's through its preload script, the browser's with a Web Worker.
 * The window asks for it once with `getBridge()` and knows nothing else of where it runs.
 */
import type { ClientMessage, HostMessage } from "../core/lab/protocol/index.ts";
import { browserBridge } from "./browser/bridge.ts";

/** A file that a person chose: its name without the folder, and its bytes. */
export interface OpenedFile {
  readonly title: string;
  readonly bytes: Uint8Array;
}

/** A file that a person chose and that the window knows by its number alone: `FileRef` of the protocol. */
export interface ChosenFile {
  readonly title: string;
  /** Bytes. */
  readonly size: number;
  readonly file: number;
}

/** Takes a listener back. */
export type Unsubscribe = () => void;

/** A command that the application's menu may offer: `id` comes back through `onMenuCommand`. */
export interface MenuItem {
  readonly id: string;
  readonly title: string;
  /** One of MENUS; commands of other menus are left out. */
  readonly menu: Menu;
  /** Accelerator as "Ctrl+Shift+P" or "F5", shown beside the title; empty for none. */
  readonly key: string;
  readonly enabled: boolean;
  /** For a command that is on or off; absent for one that is neither. */
  readonly checked?: boolean;
  /** True to draw a line above it. */
  readonly separator?: boolean;
}

/** The menu bar's menus in their order. */
export const MENUS = ["File", "Edit", "Machine", "View", "Help"] as const;
export type Menu = (typeof MENUS)[number];

/** What a person can be asked to open. A medium goes along with an image: a disk, an initrd, a ROM. */
export type OpenKind = "image" | "medium" | "machine" | "scenario";

export interface Bridge {
  readonly edition: "desktop" | "browser";
  /**
   * Sends a message to the host. Bytes in it are copied unless their buffers are listed in `transfer`; a file named by
   * its number is read on the way, and one that cannot be read is answered as a refused command.
   */
  post(message: ClientMessage, transfer?: readonly ArrayBuffer[]): void;
  onMessage(listener: (message: HostMessage) => void): Unsubscribe;
  /** The host ended by itself: the machine's unsaved state is gone. The text says what is known of why. */
  onHostCrash(listener: (reason: string) => void): Unsubscribe;
  /** Starts a new host (after a crash); resolves when it takes messages. Views have to be opened again. */
  restartHost(): Promise<void>;
  /** Asks for a guest image; null when the person changed their mind. Rejects with a sentence when it is none to be had. */
  openImageFile(): Promise<ChosenFile | null>;
  /** Asks for a file that goes along with an image; as `openImageFile`. */
  openMediumFile(): Promise<ChosenFile | null>;
  /** Asks for a saved machine and reads it; null and rejections as `openImageFile`. */
  openMachineFile(): Promise<OpenedFile | null>;
  /** Asks for a scenario's file and reads it; as `openMachineFile`. */
  openScenarioFile(): Promise<OpenedFile | null>;
  /** Shows an address outside of Quadrant to the person, and opens it in their browser if they say yes. */
  openLink(url: string): Promise<boolean>;
  /** Asks where to put it (`name` is the proposal) and writes it; false when the person changed their mind. */
  saveFile(name: string, bytes: Uint8Array): Promise<boolean>;
  /**
   * Lets gdb attach at a port of this computer (0: any free one), or no longer (null). Rejects with a sentence: the port is
   * taken, or this is the browser edition, which has no sockets.
   */
  allowGdb(port: number | null): Promise<void>;
  /** Hands the menu bar its commands, again whenever one changed. The browser edition has no such menu bar. */
  setMenu(items: readonly MenuItem[]): void;
  /** A person chose a command in the application's menu. */
  onMenuCommand(listener: (commandId: string) => void): Unsubscribe;
}

declare global {
  interface Window {
    /** The desktop edition's preload script puts it there before the page runs, `getBridge` in the browser edition. */
    readonly quadrant?: Bridge;
  }
}

/** The bridge of this window's edition; the same object at every call. */
export function getBridge(): Bridge {
  if (window.quadrant !== undefined) return window.quadrant;
  const bridge = browserBridge();
  Object.defineProperty(window, "quadrant", { value: bridge });
  return bridge;
}
