/**
 * The guest's address space as a list: its tables and the large pages between them, by address.
 */

import type { GuestTable } from "../../machine/peek/guest-tables.ts";
import { PTE_P, PTE_PS, peek32, tableOf } from "../../machine/peek/guest-walk.ts";
import type { LabContext } from "../context.ts";
import type { AddressSpaceView } from "../protocol/index.ts";
import type { View } from "./view.ts";

type Row = AddressSpaceView["rows"][number];

export function openAddressSpace(lab: LabContext): View {
  let seen = 0;
  let tables: readonly GuestTable[] | null = null;
  let text = "";
  return {
    collect(): AddressSpaceView | null {
      const now = lab.guestTables();
      const fresh =
        now !== tables ||
        now.some((t) => {
          const hfn = lab.slots.hfnOf(t.gfn);
          return hfn >= 0 && lab.memory.version[hfn]! > seen;
        });
      if (!fresh) return null;
      tables = now;
      seen = lab.memory.epoch;
      const data = makeAddressSpace(lab);
      const said = JSON.stringify(data);
      if (said === text) return null;
      text = said;
      return data;
    },
  };
}

export function makeAddressSpace(lab: LabContext): AddressSpaceView {
  const paging = lab.paging();
  const rows: Row[] = [];
  if (paging.mode === "2-level") directory(lab, rows, paging.cr3 >>> 12, 4, 0, paging.pse);
  if (paging.mode === "PAE") {
    for (let slot = 0; slot < 4; slot++) {
      const low = paging.pdptes[slot * 2]!;
      const high = paging.pdptes[slot * 2 + 1]!;
      if ((low & PTE_P) === 0) continue;
      const gfn = tableOf(low, high) / 4096;
      rows.push({
        level: 3,
        index: slot,
        gva: (slot << 30) >>> 0,
        length: 2 ** 30,
        gfn,
        low,
        high,
        what: "table",
        present: countPresent(lab, gfn, 8),
      });
      directory(lab, rows, gfn, 8, (slot << 30) >>> 0, true);
    }
  }
  return { kind: "addressSpace", cr3: paging.cr3, mode: paging.mode, rows };
}

function directory(
  lab: LabContext,
  rows: Row[],
  gfn: number,
  entrySize: 4 | 8,
  base: number,
  pse: boolean,
): void {
  if (lab.slots.hfnOf(gfn) < 0) return;
  const shift = entrySize === 4 ? 22 : 21;
  for (let index = 0; index < 4096 / entrySize; index++) {
    const low = peek32(lab.where, gfn * 4096 + index * entrySize);
    if ((low & PTE_P) === 0) continue;
    const high = entrySize === 8 ? peek32(lab.where, gfn * 4096 + index * 8 + 4) : 0;
    const large = (low & PTE_PS) !== 0 && pse;
    const frame = entrySize === 8 ? tableOf(low, high) / 4096 : low >>> 12;
    rows.push({
      level: 2,
      index,
      gva: base + index * 2 ** shift,
      length: 2 ** shift,
      gfn: large ? largeFrame(low, high, entrySize) : frame,
      low,
      high,
      what: large ? "large page" : "table",
      present: large ? 1 : countPresent(lab, frame, entrySize),
    });
  }
}

/** First frame of a large page: bits 35:22 (PSE-36 included) or 35:21. */
function largeFrame(low: number, high: number, entrySize: 4 | 8): number {
  if (entrySize === 8) return tableOf(low & 0xffe0_0000, high) / 4096;
  return ((low >>> 13) & 0xf) * 2 ** 20 + ((low & 0xffc0_0000) >>> 12);
}

function countPresent(lab: LabContext, gfn: number, entrySize: 4 | 8): number {
  const hfn = lab.slots.hfnOf(gfn);
  if (hfn < 0) return 0;
  const step = entrySize / 4;
  let present = 0;
  for (let i = hfn * 1024; i < (hfn + 1) * 1024; i += step) present += lab.memory.u32[i]! & PTE_P;
  return present;
}
