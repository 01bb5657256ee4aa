/** The names under which the preload script and the main process speak, and the shape of an answered request. */
import type { ChosenFile, OpenedFile } from "../../renderer/bridge.ts";

/** Window to main, one way: a ClientMessage for the host. */
export const POST = "quadrant:post";
/** Window to main, answered: an AppRequest. */
export const REQUEST = "quadrant:request";
/** Main to window: a HostMessage. */
export const MESSAGE = "quadrant:message";
/** Main to window: the host ended, with the reason. */
export const CRASH = "quadrant:crash";
/** Main to window: a menu command's id. */
export const MENU = "quadrant:menu";

/** Errors travel as data, so that the window sees the sentence and nothing of Electron's around it. */
export type Answer =
  | { readonly ok: true; readonly value: OpenedFile | ChosenFile | boolean | null }
  | { readonly ok: false; readonly error: string };
