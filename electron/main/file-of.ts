/** Which file a request names: the one border between an address that a page made up and the disk. */
import { join, normalize, sep } from "node:path";

/** File of a request's path inside `folder`, or null when it leads out of it or cannot be read as a path. */
export function fileOf(folder: string, pathname: string): string | null {
  let path: string;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    return null;
  }
  if (path.includes("\0") || path.includes("\\")) return null;
  const file = normalize(join(folder, path.endsWith("/") ? `${path}index.html` : path));
  return file.startsWith(normalize(folder) + sep) ? file : null;
}
