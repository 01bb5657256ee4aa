/**
 * The browser edition's server: the built page, read-only, on 127.0.0.1 alone. A request that names another host is
 * refused, so that no other site can reach it through a name of its own that resolves here (DNS rebinding).
 * The headers are the desktop's, the CSP among them.
 */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";
import { inRoot } from "./repository.mjs";

const json = (file) => JSON.parse(readFileSync(inRoot("electron", file), "utf8"));

/**
 * @param {{ folder?: string, port?: number }} options port 0: a free one
 * @returns {Promise<{ url: string, close(): Promise<void> }>}
 */
export async function serve({ folder = inRoot("dist", "renderer"), port = 0 } = {}) {
  const headers = json("headers.json");
  const types = json("media-types.json");
  const server = createServer(async (request, response) => {
    const refuse = (status, text) => {
      response.writeHead(status, { ...headers, "Content-Type": "text/plain; charset=utf-8" });
      response.end(`${text}\n`);
    };
    const { port: own } = server.address();
    if (![`127.0.0.1:${own}`, `localhost:${own}`].includes(request.headers.host ?? ""))
      return refuse(421, "This server answers for 127.0.0.1 alone.");
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, "Only GET is answered.");
    const path = fileOf(folder, request.url ?? "/");
    if (path === null) return refuse(404, "There is no such file.");
    try {
      const bytes = await readFile(path);
      response.writeHead(200, {
        ...headers,
        "Content-Type": types[extname(path)] ?? "application/octet-stream",
        "Content-Length": bytes.length,
        "Cache-Control": "no-cache",
      });
      response.end(request.method === "HEAD" ? undefined : bytes);
    } catch {
      refuse(404, "There is no such file.");
    }
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** File of a request's target, or null when it lies outside `folder` or is no path. */
function fileOf(folder, target) {
  let path;
  try {
    path = decodeURIComponent(target.split("?")[0]);
  } catch {
    return null;
  }
  if (!path.startsWith("/") || path.includes("\0") || path.includes("\\")) return null;
  const file = normalize(join(folder, path.endsWith("/") ? `${path}index.html` : path));
  return file.startsWith(normalize(folder) + sep) ? file : null;
}
