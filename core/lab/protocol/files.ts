/**
 * Files that a message names by their numbers: who carries it to the lab puts their bytes there. The window never
 * holds the bytes of an image, so that one of 2 GiB does not travel through it.
 */
import type { FileBytes, Media } from "./commands.ts";
import { type ClientMessage, parseClientMessage } from "./messages.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Reader = (file: number) => Promise<Bytes>;

/**
 * True when files have to be read before the message can go to the lab. A malformed message names none: it goes to the
 * lab, which refuses it in words.
 */
export function namesFiles(given: ClientMessage): boolean {
  const parsed = parseClientMessage(given);
  if (!parsed.ok) return false;
  const { message } = parsed;
  if (message.type !== "command" || message.command.name !== "openImage") return false;
  const { bytes, media } = message.command;
  const all = [bytes, media?.initrd, media?.floppy, media?.rom, ...(media?.disks ?? [])];
  const modules = media?.modules ?? [];
  return [...all, ...modules.map((module) => module.bytes)].some(
    (file) => file !== undefined && !(file instanceof Uint8Array),
  );
}

/**
 * The message with the bytes in place of the numbers, and their buffers, which nobody here uses again.
 * @throws what `read` throws, when a file cannot be read
 */
export async function fillFiles(
  message: ClientMessage,
  read: Reader,
): Promise<{ message: ClientMessage; transfer: ArrayBuffer[] }> {
  const transfer = new Set<ArrayBuffer>();
  if (!namesFiles(message) || message.type !== "command" || message.command.name !== "openImage")
    return { message, transfer: [] };
  const one = async (file: FileBytes): Promise<Bytes> => {
    if (file instanceof Uint8Array) return file;
    const bytes = await read(file.file);
    transfer.add(bytes.buffer);
    return bytes;
  };
  const { command } = message;
  const bytes = await one(command.bytes);
  const media = command.media === undefined ? undefined : await fillMedia(command.media, one);
  return {
    message: { ...message, command: { ...command, bytes, ...(media === undefined ? {} : { media }) } },
    transfer: [...transfer],
  };
}

async function fillMedia(media: Media, one: (file: FileBytes) => Promise<Bytes>): Promise<Media> {
  const filled: Media = { ...media };
  for (const key of ["initrd", "floppy", "rom"] as const) {
    const file = media[key];
    if (file !== undefined) filled[key] = await one(file);
  }
  // One after the other: two large files are not read at once.
  if (media.disks !== undefined) {
    filled.disks = [];
    for (const disk of media.disks) filled.disks.push(await one(disk));
  }
  if (media.modules !== undefined) {
    filled.modules = [];
    for (const { bytes, commandLine } of media.modules)
      filled.modules.push({ bytes: await one(bytes), commandLine });
  }
  return filled;
}
