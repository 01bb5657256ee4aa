/**
 * What the built-in kernels must print, computed from what they do and not from a run: the independent statement
 * behind the committed expected texts. All arithmetic is modulo 2^32; sums are sum := rol(sum, 5) + word.
 */

const rol5 = (x: number): number => ((x << 5) | (x >>> 27)) >>> 0;
const sumOf = (words: readonly number[]): number => words.reduce((sum, w) => (rol5(sum) + w) >>> 0, 0);
const hex8 = (x: number): string => (x >>> 0).toString(16).padStart(8, "0");
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** First word of the sweeps' frame k. */
const frameWord = (k: number): number => (Math.imul(k & 255, 0x01000193) + 1) >>> 0;

const KERNEL_PAGE = 0x63;
const SWEEP_FRAMES = 0x0080_0000;

/** Lines of the user stage: label and value. */
function userLines(nx: boolean): string[] {
  const value = (i: number) => Math.imul(i + 1, 0x9e3779b1) >>> 0;
  const checksum = (pages: readonly number[]) => hex8(sumOf(pages.flatMap((word) => [word, 0])));
  const start = range(48).map(value);
  const parent = start.map((w, i) => (i % 3 === 0 ? w ^ 0xaaaa5555 : w) >>> 0);
  const child = start.map((w, i) => (i === 1 ? 0xc0ffee00 : i % 2 === 0 ? w ^ 0x11111111 : w) >>> 0);
  const alone = parent.map((w) => (w ^ 0x0f0f0f0f) >>> 0);
  // Copies: the parent's stack and every third page; then the child's even pages that the parent has not copied, and
  // page 1. Reused: the child's stack and the pages whose other copy was taken; then all that is left to the parent.
  const parentCopies = 1 + 16;
  const childCopies = 24 - 8 + 1;
  const reused = 1 + 8 + (48 - 16);
  const demand = 48 + 1 + 1; // heap, stack, the page under the locked directory
  return [
    `sum of 1 to 100 = ${hex8((100 * 101) / 2)}`,
    `48 pages on demand, checksum ${checksum(start)}`,
    `parent: checksum ${checksum(parent)}`,
    `child:  checksum ${checksum(child)}`,
    `parent: alone, checksum ${checksum(alone)}`,
    `kernel: demand faults ${demand}, copies ${parentCopies + childCopies}, reused ${reused}, refused ${nx ? 8 : 7}, INT3 1`,
  ];
}

/** Lines of the sweeps over a page table of so many entries. */
function sweepLines(entries: number): string[] {
  const fill = range(entries).map((i) => frameWord(7 * i + 3));
  const remap = range(entries).map((i) => frameWord(13 * i + 5));
  const stored = new Array<number>(256).fill(0);
  for (const i of range(entries)) stored[(13 * i + 5) & 255] = i;
  const back = range(entries)
    .reverse()
    .map((i) => frameWord(-i));

  const table = range(entries).map((i) => SWEEP_FRAMES + ((-i & 255) << 12) + KERNEL_PAGE);
  const page = (frame: number) => SWEEP_FRAMES + ((frame & 255) << 12) + KERNEL_PAGE;
  const touched: number[] = [];
  for (let i = 0; i < entries; i += 4) {
    const old = table[i]!;
    switch ((i >> 2) & 7) {
      case 0:
        table[i] = page(i + 1);
        break;
      case 1:
        table[i] = page(i + 2);
        break;
      case 2:
        table[i] = old & ~2;
        break;
      case 3:
        table[i] = old | 0x200;
        break;
      case 4:
        table[i] = old | 4;
        break;
      case 5:
        table[i] = (old & ~0xff) | 3;
        break;
      case 6:
        if ((old & 0xff000) !== 0xff000) table[i] = old + 0x1000;
        break;
      default:
        if (entries === 512) table[i] = page(i + 3);
        else [table[i], table[i + 1]] = [table[i + 1]!, old];
    }
    touched.push(frameWord((table[i]! >> 12) & 255));
  }
  return [
    `sweep: fill and touch         ${hex8(sumOf(fill))}`,
    `sweep: remap, touch and store ${hex8(sumOf(remap))}`,
    `sweep: what the stores left   ${hex8(sumOf(stored))}`,
    `sweep: faults after unmapping ${hex8(Math.ceil(entries / 31))}  ok`,
    `sweep: in bulk, backwards     ${hex8(sumOf(back))}`,
    `sweep: all kinds of stores    ${hex8(sumOf(touched))}`,
    `sweep: the entries            ${hex8(sumOf(table.map((e) => e & ~0x60)))}`,
  ];
}

/** Checksum over the first word of each KiB of a large page. */
function largeSum(words: number): string {
  let x = 1;
  const values: number[] = [];
  for (let i = 0; i < words; i++) {
    values.push(x);
    x = (Math.imul(x, 0x343fd) + 0x269ec3) >>> 0;
  }
  return `large: checksum through 4 KiB pages  ${hex8(sumOf(values))}`;
}

export function nonpaeLines(): string[] {
  return [
    largeSum(4096),
    ...userLines(false),
    ...sweepLines(1024),
    `large page in a table's place   ${hex8(frameWord(10) + frameWord(20))}  ok`,
    `PTE 6 written through the directory    ${hex8(frameWord(50))}  ok`,
    `PTE 518 written through the directory  ${hex8(frameWord(60))}  ok`,
    `PDE 900 written through itself         ${hex8(frameWord(30) + frameWord(40))}  ok`,
  ];
}

export function paeLines(): string[] {
  const highWord = (i: number) => ~Math.imul(i, 0x01000193) >>> 0;
  const high = hex8(sumOf(range(64).map(highWord)));
  return [
    largeSum(2048),
    ...userLines(true),
    ...sweepLines(512),
    `a PDPTE stored, CR3 not yet loaded  ${hex8(frameWord(10))}  ok`,
    `and loaded                          ${hex8(frameWord(30))}  ok`,
    `64 frames through 4 KiB pages            ${high}`,
    `the same through a 2 MiB page            ${high}  ok`,
    `the frames 4 GiB below did not change    ${hex8(sumOf(range(256).map(frameWord)))}  ok`,
    `a page table at 4 GiB                    ${hex8(sumOf(range(64).map((i) => (i % 2 === 0 ? highWord(i) : frameWord(i)))))}`,
    `changed by CMPXCHG8B      ${hex8(highWord(33))}  ok`,
  ];
}
