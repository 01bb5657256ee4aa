/**
 * Makes small Linux kernels for the loader's tests: a setup header of a protocol version, one sector of real-mode part,
 * and code. The offsets are those of the kernel's boot protocol document, stated here once more.
 */

export interface MadeLinux {
  readonly version?: number;
  readonly loadflags?: number;
  readonly entry?: number;
  readonly setupSectors?: number;
  /** In paragraphs of 16 bytes; absent: what the code takes. */
  readonly syssize?: number;
  readonly initrdMax?: number;
  readonly commandLineMost?: number;
  readonly relocatable?: boolean;
  readonly alignment?: number;
  readonly preferred?: number;
  readonly initSize?: number;
  readonly xloadflags?: number;
  /** Byte at 0x201: how far the header reaches behind 0x202. */
  readonly reach?: number;
}

export function makeLinux(code: Uint8Array, what: MadeLinux = {}): Uint8Array {
  const sectors = what.setupSectors ?? 3;
  const setup = ((sectors === 0 ? 4 : sectors) + 1) * 512;
  const bytes = new Uint8Array(setup + code.length);
  const view = new DataView(bytes.buffer);
  const u16 = (at: number, value: number) => view.setUint16(at, value, true);
  const u32 = (at: number, value: number) => view.setUint32(at, value, true);
  bytes[0x1f1] = sectors;
  u32(0x1f4, what.syssize ?? Math.ceil(code.length / 16));
  u16(0x1fe, 0xaa55);
  bytes[0x200] = 0xeb;
  bytes[0x201] = what.reach ?? 0x66;
  u32(0x202, 0x53726448);
  u16(0x206, what.version ?? 0x20f);
  bytes[0x211] = what.loadflags ?? 0x01;
  u32(0x214, what.entry ?? 0x100000);
  u32(0x22c, what.initrdMax ?? 0x7fffffff);
  u32(0x230, what.alignment ?? 0x200000);
  bytes[0x234] = what.relocatable === false ? 0 : 1;
  u16(0x236, what.xloadflags ?? 0);
  u32(0x238, what.commandLineMost ?? 2047);
  u32(0x258, what.preferred ?? 0x400000);
  u32(0x260, what.initSize ?? 0x300000);
  bytes.set(code, setup);
  return bytes;
}
