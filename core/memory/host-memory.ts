/**
 * Host-physical memory: one array of bytes, cut into frames of 4096. The hypervisor's own pages lie in the
 * first frames, the guest's slots behind them, so that an hpa is never equal to a gpa by accident.
 *
 * Pages nobody touched cost nothing (the engine hands out zero pages lazily); `version` says when a frame last
 * changed, in epochs: a look (a view tick, a snapshot) begins a new epoch, a write stamps the current one.
 * That a frame's version is 0 means it was never written.
 */

export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 4096;
export const PAGE_MASK = 0xfff;

/** The machine's widest physical address, in bits (CPUID 8000_0008H would say so). */
export const MAXPHYADDR = 36;

/** Host frames kept for the hypervisor: pae_root, the bad page and the shadow pool. Guest memory begins behind. */
export const HYPERVISOR_FRAMES = 4096;

/** Largest host memory in bytes: an hpa stays a non-negative 32-bit integer. */
export const HOST_MEMORY_LIMIT = 0x8000_0000;

/** Flags of a frame in `HostMemory.flags`. */
export const FRAME_CODE = 1; // decoded blocks lie in this frame: a store must tell the block cache
export const FRAME_SHADOW = 2; // the frame holds a shadow page or pae_root
export const FRAME_WATCHED = 4; // the continuous audit wants to hear of every store into the frame; no state

export class HostMemory {
  readonly frames: number;
  readonly bytes: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  /** For unaligned accesses; little-endian, as the guest is. */
  readonly view: DataView;
  /** Epoch of the last change of each frame; 0 = never. */
  readonly version: Uint32Array;
  readonly flags: Uint8Array;
  /** The current epoch; begins at 1. */
  epoch = 1;

  /** @param frames number of 4096-byte frames. @throws RangeError above HOST_MEMORY_LIMIT */
  constructor(frames: number) {
    const size = frames * PAGE_SIZE;
    if (!Number.isInteger(frames) || frames < 1 || size > HOST_MEMORY_LIMIT) {
      throw new RangeError(
        `host memory of ${frames} frames: between 1 and ${HOST_MEMORY_LIMIT / PAGE_SIZE} are possible`,
      );
    }
    this.frames = frames;
    const buffer = new ArrayBuffer(size);
    this.bytes = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.view = new DataView(buffer);
    this.version = new Uint32Array(frames);
    this.flags = new Uint8Array(frames);
  }

  /** Stamps a frame as changed now. Every writer that does not go through the processor's fast path calls it. */
  touch(hfn: number): void {
    this.version[hfn] = this.epoch;
  }
}
