/**
 * The tables that the processor really walks under the hypervisor, read by peeking: pae_root, a level-2 and a level-1
 * shadow page. The processor runs with PAE, WP=1 and NXE=1 (docs/kvm-shadow-mmu.md 2.5, 2.7).
 */
import type { HostMemory } from "../../memory/host-memory.ts";
import { type Access, PTE_NX_HIGH, PTE_P, PTE_U, PTE_W } from "./guest-walk.ts";

export interface ShadowStep {
  readonly label: string;
  readonly level: number;
  readonly index: number;
  /** Host-physical address of the entry. */
  readonly hpa: number;
  readonly low: number;
  readonly high: number;
}

export interface ShadowTranslation {
  readonly ok: boolean;
  readonly hpa: number;
  readonly text: string;
  readonly decides: "P" | "W" | "U" | "NX" | null;
  /** Index into `steps` of the entry that decides, or -1. */
  readonly decider: number;
  readonly steps: readonly ShadowStep[];
}

/** Bit 9 of a level-1 spte that is not present: this gfn has no memory (2.4). */
const IO_MARK = 0x200;

/**
 * @param rootHpa host-physical address of pae_root, or -1 when no root is loaded
 */
export function walkShadow(
  memory: HostMemory,
  rootHpa: number,
  gva: number,
  access: Access,
): ShadowTranslation {
  if (rootHpa < 0) {
    return {
      ok: false,
      hpa: -1,
      text: "no shadow root is loaded yet: the next fault builds it",
      decides: null,
      decider: -1,
      steps: [],
    };
  }
  const steps: ShadowStep[] = [];
  const read = (hpa: number, label: string, level: number, index: number): ShadowStep => {
    const low = memory.u32[hpa >>> 2] ?? 0;
    const high = memory.u32[(hpa >>> 2) + 1] ?? 0;
    const step = { label, level, index, hpa, low, high };
    steps.push(step);
    return step;
  };
  const fault = (decides: "P" | "W" | "U" | "NX", decider: number, hpa: number, text: string) => ({
    ok: false,
    hpa,
    text,
    decides,
    decider,
    steps,
  });

  const slot = gva >>> 30;
  const root = read(rootHpa + slot * 8, `pae_root[${slot}]`, 3, slot);
  if ((root.low & PTE_P) === 0 || root.high === 0xffff_ffff) {
    return fault("P", 0, -1, `${root.label} is empty: a shadow fault`);
  }
  const i2 = (gva >>> 21) & 511;
  const pde = read(base(root) + i2 * 8, `spte ${i2} (level 2)`, 2, i2);
  if ((pde.low & PTE_P) === 0)
    return fault("P", 1, -1, `${pde.label} is not present: a shadow fault, KVM fills it`);
  const i1 = (gva >>> 12) & 511;
  const pte = read(base(pde) + i1 * 8, `spte ${i1} (level 1)`, 1, i1);
  if ((pte.low & PTE_P) === 0) {
    const why = (pte.low & IO_MARK) !== 0 ? "marks a frame without memory" : "is not present";
    return fault("P", 2, -1, `${pte.label} ${why}: a shadow fault, KVM answers it`);
  }
  const hpa = base(pte) + (gva & 0xfff);
  const both = [pde, pte];
  if (access.user) {
    const at = both.findIndex((s) => (s.low & PTE_U) === 0);
    if (at >= 0) return fault("U", at + 1, hpa, `${both[at]!.label} lacks U: a shadow fault`);
  }
  if (access.write) {
    // WP is forced to 1 while the guest runs (2.7), so supervisors need W too.
    const at = both.findIndex((s) => (s.low & PTE_W) === 0);
    if (at >= 0) return fault("W", at + 1, hpa, `${both[at]!.label} lacks W: a shadow fault`);
  }
  if (access.fetch) {
    const at = both.findIndex((s) => (s.high & PTE_NX_HIGH) !== 0);
    if (at >= 0) return fault("NX", at + 1, hpa, `${both[at]!.label} has NX: a shadow fault`);
  }
  return { ok: true, hpa, text: "the shadow allows it: no exit", decides: null, decider: -1, steps };
}

/** Host-physical page of an entry; hpas stay below 2 GiB. */
const base = (step: ShadowStep): number => step.low & 0x7fff_f000;
