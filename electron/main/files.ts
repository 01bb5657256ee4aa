/**
 * Files that a person opens and saves. Only main touches the disk; the window sees names and bytes, never a path.
 */
import { open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { app, type BrowserWindow, dialog, type FileFilter } from "electron";
import type { ChosenFile, OpenedFile, OpenKind } from "../../renderer/bridge.ts";

/** Largest file that is opened: a disk of 2 GiB. */
const LARGEST = 2 ** 31;

const FILTERS: Record<OpenKind, FileFilter[]> = {
  image: [
    { name: "All files", extensions: ["*"] },
    { name: "Guest images", extensions: ["elf", "bin", "img", "multiboot", "rom", "raw"] },
  ],
  medium: [{ name: "All files", extensions: ["*"] }],
  machine: [
    { name: "Saved machines", extensions: ["quadrant"] },
    { name: "All files", extensions: ["*"] },
  ],
  scenario: [
    { name: "Scenarios", extensions: ["jsonc", "json"] },
    { name: "All files", extensions: ["*"] },
  ],
};
const TITLES: Record<OpenKind, string> = {
  image: "Open image",
  medium: "Choose a file",
  machine: "Open machine",
  scenario: "Open scenario",
};

/** Folder of the last dialog; the next one begins there. */
let folder: string | null = null;

/** Paths of the files that were chosen and are read later, by their numbers from 1. */
const chosen: string[] = [];

/**
 * Asks for a file. An image or a medium is only noted: the window gets its number, and the bytes go to the host when a
 * command names it. Others are read. Null when the person changed their mind. Rejects with a sentence.
 */
export async function openFile(
  window: BrowserWindow,
  kind: OpenKind,
): Promise<OpenedFile | ChosenFile | null> {
  const path = await ask(window, kind);
  if (path === null) return null;
  const title = basename(path);
  if (kind === "machine" || kind === "scenario") return { title, bytes: await read(path) };
  return { title, size: await sizeOf(path), file: chosen.push(path) };
}

/** Reads a file by the number that the window knows it by. Rejects with a sentence. */
export async function readChosen(file: number): Promise<Uint8Array<ArrayBuffer>> {
  const path = chosen[file - 1];
  if (path === undefined) throw new Error("this file is not open any more; choose it again");
  return read(path);
}

async function ask(window: BrowserWindow, kind: OpenKind): Promise<string | null> {
  const { canceled, filePaths } = await dialog.showOpenDialog(window, {
    title: TITLES[kind],
    defaultPath: folder ?? app.getPath("home"),
    filters: FILTERS[kind],
    properties: ["openFile"],
  });
  const path = filePaths[0];
  if (canceled || path === undefined) return null;
  folder = dirname(path);
  return path;
}

async function sizeOf(path: string): Promise<number> {
  const name = basename(path);
  try {
    const info = await stat(path);
    if (!info.isFile()) throw new Error(`${name} is not a file`);
    if (info.size > LARGEST)
      throw new Error(`${name} has ${info.size} bytes; at most ${LARGEST} can be opened`);
    return info.size;
  } catch (error) {
    throw inWords(error, `${name} could not be read`);
  }
}

async function read(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const name = basename(path);
  const size = await sizeOf(path);
  try {
    const bytes = new Uint8Array(size);
    const file = await open(path, "r");
    try {
      let at = 0;
      while (at < bytes.length) {
        const { bytesRead } = await file.read(bytes, at, Math.min(bytes.length - at, 1 << 26), at);
        if (bytesRead === 0) throw new Error(`${name} became shorter while it was read`);
        at += bytesRead;
      }
    } finally {
      await file.close();
    }
    return bytes;
  } catch (error) {
    throw inWords(error, `${name} could not be read`);
  }
}

/**
 * Asks where to and writes: whole into a new file beside the old one, which it then replaces, so that a full disk or
 * a power cut leaves what was there. False when the person changed their mind. Rejects with a sentence.
 */
export async function saveFile(window: BrowserWindow, name: string, bytes: Uint8Array): Promise<boolean> {
  const { canceled, filePath } = await dialog.showSaveDialog(window, {
    title: "Save",
    defaultPath: join(folder ?? app.getPath("documents"), name),
    filters: [{ name: "All files", extensions: ["*"] }],
    properties: ["createDirectory", "showOverwriteConfirmation"],
  });
  if (canceled || filePath === "") return false;
  folder = dirname(filePath);
  const fresh = `${filePath}.${process.pid}.new`;
  try {
    const file = await open(fresh, "w");
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(fresh, filePath);
  } catch (error) {
    await rm(fresh, { force: true });
    throw inWords(error, `${basename(filePath)} could not be written`);
  }
  return true;
}

const CAUSES: Record<string, string> = {
  EACCES: "permission was denied",
  EPERM: "permission was denied",
  ENOENT: "it is not there",
  ENOSPC: "the disk is full",
  EROFS: "the disk is read-only",
  EISDIR: "it is a folder",
  EBUSY: "another program uses it",
};

function inWords(error: unknown, what: string): Error {
  if (!(error instanceof Error)) return new Error(what);
  const code = "code" in error && typeof error.code === "string" ? error.code : null;
  if (code === null) return error;
  return new Error(`${what}: ${CAUSES[code] ?? code}`);
}
