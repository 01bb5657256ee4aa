/**
 * The application's own scheme, quadrant://app/: standard and secure, so that the page has an origin of its own, and
 * served from the built renderer alone. Every answer carries the headers of electron/headers.json (the CSP among them).
 */
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { app, protocol } from "electron";
import headers from "../headers.json" with { type: "json" };
import mediaTypes from "../media-types.json" with { type: "json" };
import { fileOf } from "./file-of.ts";

export const SCHEME = "quadrant";
/** Origin of every page, and prefix of every request that a session lets pass. */
export const ORIGIN = `${SCHEME}://app`;

/** Must run before the application is ready. */
export function declareScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true } },
  ]);
}

/** Serves `folder` under the scheme. Read-only; a path outside the folder does not exist. */
export function serveScheme(folder: string): void {
  if (!app.isReady()) throw new Error("the scheme is served once the application is ready");
  protocol.handle(SCHEME, (request) => answer(folder, request));
}

async function answer(folder: string, request: Request): Promise<Response> {
  const url = new URL(request.url);
  if (url.host !== "app") return refuse(404, "there is no such host");
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, "only GET is answered");
  const path = fileOf(folder, url.pathname);
  if (path === null) return refuse(404, "there is no such file");
  try {
    const bytes = await readFile(path);
    const type = (mediaTypes as Record<string, string>)[extname(path)] ?? "application/octet-stream";
    return new Response(new Uint8Array(bytes), { headers: { ...headers, "Content-Type": type } });
  } catch {
    return refuse(404, "there is no such file");
  }
}

function refuse(status: number, text: string): Response {
  return new Response(text, { status, headers: { ...headers, "Content-Type": "text/plain; charset=utf-8" } });
}
