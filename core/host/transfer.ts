/**
 * Which buffers of a message can change owner instead of being copied: the big typed arrays in it.
 * Views and replies hand over arrays that nobody in the lab keeps.
 */
import type { HostMessage } from "../lab/protocol/index.ts";

/** Below this many bytes a copy costs less than a transfer. */
const WORTH = 1024;

export function transferables(message: HostMessage): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  if (message.type === "push") for (const view of message.views) gather(view.data, found, 0);
  else if (message.type === "reply" && message.ok) gather(message.value, found, 0);
  return [...found];
}

function gather(value: unknown, found: Set<ArrayBuffer>, depth: number): void {
  if (typeof value !== "object" || value === null || depth > 4) return;
  if (ArrayBuffer.isView(value)) {
    const { buffer } = value;
    if (
      buffer instanceof ArrayBuffer &&
      buffer.byteLength >= WORTH &&
      value.byteLength === buffer.byteLength
    ) {
      found.add(buffer);
    }
    return;
  }
  if (Array.isArray(value)) {
    // Lists of rows hold no arrays; only short lists (the shadows of a table) do.
    if (value.length <= 16) for (const item of value) gather(item, found, depth + 1);
    return;
  }
  for (const item of Object.values(value)) gather(item, found, depth + 1);
}
