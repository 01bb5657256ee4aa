/**
 * What the C test kernel must print, computed here in another language and with other algorithms.
 */
import { createHash } from "node:crypto";

const TEXT = "shadow pages have quadrants";

function sortedSum(): string {
  let state = 2463534242;
  const numbers = Array.from({ length: 5000 }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  }).sort((a, b) => a - b);
  return hex(numbers.reduce((sum, x) => (Math.imul(sum, 31) + x) | 0, 0));
}

const hex = (x: number): string => (x >>> 0).toString(16).padStart(8, "0");

/** CRC-32 (ISO 3309) over a table. */
function crc32(text: string): string {
  const table = Array.from({ length: 256 }, (_, n) => {
    for (let i = 0; i < 8; i++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
    return n;
  });
  let crc = -1;
  for (const byte of Buffer.from(text)) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff]!;
  return hex(~crc);
}

function exchanged(): string {
  let sum = 0;
  for (let i = 0; i < 512; i++) sum = (Math.imul(sum, 31) + (511 - i) ** 2 + 1) | 0;
  return hex(sum);
}

function primesBelow(limit: number): number {
  let count = 0;
  for (let n = 2; n < limit; n++) {
    let prime = true;
    for (let d = 2; d * d <= n && prime; d++) prime = n % d !== 0;
    if (prime) count++;
  }
  return count;
}

function matrix(): string {
  const size = 24;
  const a = (i: number, k: number) => ((i * size + k) % 17) - 8;
  const b = (k: number, j: number) => ((k * size + j) % 23) - 11;
  const cell = (i: number, j: number) => {
    let sum = 0;
    for (let k = 0; k < size; k++) sum += a(i, k) * b(k, j);
    return sum;
  };
  let trace = 0;
  for (let i = 0; i < size; i++) trace += cell(i, i);
  return `${trace} ${cell(0, 0)} ${cell(size - 1, size - 1)}`;
}

export function ckernelText(): string {
  let factorial = 1n;
  for (let i = 2n; i <= 20n; i++) factorial *= i;
  // The array on demand begins 16 bytes before a page's end: 20000 bytes touch 6 pages. The exchange touches every
  // second of 1024 pages, pages 0, 2 and 4 of which are there already.
  const onDemand = Math.ceil((0xff0 + 20000) / 4096);
  return `ckernel: magic 2badb002, memory above 1 MiB enough
sort in low memory: ordered, sum ${sortedSum()}
sort on demand: ordered, sum ${sortedSum()}
pages on demand ${onDemand}
exchanged pages ${exchanged()}
pages on demand ${onDemand + 512 - 3}
20! = ${factorial}
crc32 ${crc32(TEXT)}
sha256 ${createHash("sha256").update(TEXT).digest("hex")}
queens 92, primes ${primesBelow(20000)}, ackermann ${2 * 9 + 3}
rpn ${7 * 6 + Math.floor(1000 / 3) - 5}
matrix ${matrix()}
end: done
`;
}
