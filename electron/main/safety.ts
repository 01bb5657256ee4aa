/**
 * What no page of this application may do: reach anything but its own scheme, go elsewhere, open a window, ask for a
 * permission, embed another page. Applied to every session and every page as they come to exist.
 */
import type { Session, WebContents } from "electron";
import { ORIGIN } from "./scheme.ts";

/** Lets a session fetch from the application's own scheme alone and grants no permission, device or download. */
export function closeSession(session: Session): void {
  session.webRequest.onBeforeRequest((details, decide) => {
    decide({ cancel: !isOwn(details.url) });
  });
  session.setPermissionRequestHandler((_contents, _permission, answer) => answer(false));
  session.setPermissionCheckHandler(() => false);
  session.setDevicePermissionHandler(() => false);
  session.setSpellCheckerEnabled(false);
  session.on("will-download", (event) => event.preventDefault());
}

/** Keeps a page where it is. */
export function closeContents(contents: WebContents): void {
  contents.setWindowOpenHandler(() => ({ action: "deny" }));
  contents.on("will-navigate", (event) => event.preventDefault());
  contents.on("will-frame-navigate", (event) => event.preventDefault());
  contents.on("will-redirect", (event) => event.preventDefault());
  contents.on("will-attach-webview", (event) => event.preventDefault());
}

/** True for an address under the application's own origin. */
export function isOwn(url: string): boolean {
  return url === ORIGIN || url.startsWith(`${ORIGIN}/`);
}
