/**
 * What the command line needs of the world around it, so that a test can be that world.
 */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from "node:fs";

/** A piece of a sparse file. */
export interface Chunk {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface CliIo {
  /** Standard output takes bytes: what the guest sends is not text. */
  out(bytes: Uint8Array): void;
  /** One line to standard error. */
  err(line: string): void;
  /** @throws with a sentence */
  readFile(path: string): Uint8Array;
  /** @throws with a sentence */
  writeFile(path: string, bytes: Uint8Array): void;
  /** Makes a folder, and those above it, where they are missing. @throws with a sentence */
  makeFolder(path: string): void;
  /** Writes a file of `size` bytes; what is between the chunks is a hole. @throws with a sentence */
  writeSparse(path: string, size: number, chunks: Iterable<Chunk>): void;
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "permission is denied",
  EISDIR: "it is a folder",
  ENOSPC: "the disk is full",
  EEXIST: "there is a file of that name",
  ENOTDIR: "a part of its path is not a folder",
};

/** A failed file operation in words. */
export function why(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  if (typeof code === "string") return WHY[code] ?? code;
  return error instanceof Error ? error.message : String(error);
}

export const NODE_IO: CliIo = {
  out: (bytes) => writeAll(1, bytes),
  err: (line) => writeAll(2, new TextEncoder().encode(`${line}\n`)),
  readFile(path) {
    try {
      return readWhole(path);
    } catch (error) {
      throw new Error(`${path} cannot be read: ${why(error)}`);
    }
  },
  writeFile(path, bytes) {
    try {
      writeFileSync(path, bytes);
    } catch (error) {
      throw new Error(`${path} cannot be written: ${why(error)}`);
    }
  },
  makeFolder(path) {
    try {
      mkdirSync(path, { recursive: true });
    } catch (error) {
      throw new Error(`the folder ${path} cannot be made: ${why(error)}`);
    }
  },
  writeSparse(path, size, chunks) {
    try {
      const file = openSync(path, "w");
      try {
        ftruncateSync(file, size);
        for (const { offset, bytes } of chunks) {
          for (let done = 0; done < bytes.length; ) {
            done += writeSync(file, bytes, done, bytes.length - done, offset + done);
          }
        }
      } finally {
        closeSync(file);
      }
    } catch (error) {
      throw new Error(`${path} cannot be written: ${why(error)}`);
    }
  },
};

/** Largest file that is read: a disk of 2 GiB. */
const LARGEST = 2 ** 31;
const CHUNK = 1 << 20;
const ZEROS = Buffer.alloc(CHUNK);

/**
 * A file's bytes. Pieces that hold only zeros are not copied, so that a sparse disk costs the memory of what is on it
 * (a fresh array's pages exist once they are written).
 */
function readWhole(path: string): Uint8Array {
  const file = openSync(path, "r");
  try {
    const info = fstatSync(file);
    // A pipe or a device says no size; it is read to its end.
    if (!info.isFile()) return new Uint8Array(readFileSync(file));
    if (info.size > LARGEST)
      throw new Error(`it has ${info.size} bytes, and at most ${LARGEST} (2 GiB) can be read`);
    const bytes = new Uint8Array(info.size);
    const chunk = Buffer.allocUnsafe(CHUNK);
    for (let at = 0; at < bytes.length; ) {
      const got = readSync(file, chunk, 0, Math.min(CHUNK, bytes.length - at), at);
      if (got === 0) throw new Error("it became shorter while it was read");
      if (!chunk.subarray(0, got).equals(ZEROS.subarray(0, got))) bytes.set(chunk.subarray(0, got), at);
      at += got;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

/** Writes everything, also to a pipe whose reader is slow. A reader that went away is no error of ours. */
function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(file, bytes, done);
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (code === "EPIPE") return;
      if (code !== "EAGAIN") throw error;
    }
  }
}
