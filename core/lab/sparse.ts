/**
 * A file's bytes for a saved machine: the pages of 4 KiB that are not all zeros. A disk of 2 GiB that is mostly empty
 * takes what is on it.
 */
import { CodecError, type Plain } from "../machine/codec.ts";

const PAGE = 4096;

/** @returns its length, the numbers of its pages that hold anything, and their bytes one behind the other */
export function toSparse(bytes: Uint8Array): Plain {
  const numbers: number[] = [];
  for (let at = 0; at < bytes.length; at += PAGE) if (!isZero(bytes, at)) numbers.push(at / PAGE);
  const pages = new Uint8Array(numbers.length * PAGE);
  numbers.forEach((n, i) => {
    pages.set(bytes.subarray(n * PAGE, (n + 1) * PAGE), i * PAGE);
  });
  return { length: bytes.length, numbers: Uint32Array.from(numbers), pages };
}

function isZero(bytes: Uint8Array, from: number): boolean {
  const end = Math.min(from + PAGE, bytes.length);
  for (let i = from; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** @param most bytes that the file may have. @throws CodecError when it does not fit together */
export function fromSparse(plain: Plain, most: number): Uint8Array {
  const { length, numbers, pages } = plain as { length?: unknown; numbers?: unknown; pages?: unknown };
  if (
    typeof length !== "number" ||
    !Number.isInteger(length) ||
    length < 0 ||
    length > most ||
    !(numbers instanceof Uint32Array) ||
    !(pages instanceof Uint8Array) ||
    pages.length !== numbers.length * PAGE ||
    numbers.some((n) => n * PAGE >= length)
  ) {
    throw new CodecError("a file in the saved machine does not fit together");
  }
  const bytes = new Uint8Array(length);
  numbers.forEach((n, i) => {
    const at = n * PAGE;
    bytes.set(pages.subarray(i * PAGE, i * PAGE + Math.min(PAGE, length - at)), at);
  });
  return bytes;
}
