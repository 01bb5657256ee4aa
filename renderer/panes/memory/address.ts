/**
 * Addresses as a person types them: hex, a register or control register, gfn:N for a page, and sums of these.
 * Pure; the registers come from the processor's view.
 */
import type { CpuView, Space } from "../../../core/lab/protocol/index.ts";
import { SPACE_TITLES } from "./geometry.ts";

const NAMES = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];

/** Value of a name that stands for an address, or null. cr3 means the table's base (its flag bits left out). */
export function registerValue(name: string, cpu: CpuView | null): number | null {
  if (cpu === null) return null;
  const at = NAMES.indexOf(name);
  if (at >= 0) return cpu.regs[at]! >>> 0;
  switch (name) {
    case "eip":
    case "pc":
      return cpu.eip >>> 0;
    case "cr2":
      return cpu.cr2 >>> 0;
    case "cr3":
      return (cpu.paging === "PAE" ? cpu.cr3 & ~31 : cpu.cr3 & ~0xfff) >>> 0;
    case "gdt":
    case "gdtr":
      return cpu.gdtr.base >>> 0;
    case "idt":
    case "idtr":
      return cpu.idtr.base >>> 0;
    default:
      return null;
  }
}

/** The space a name's value lies in: cr3 holds a guest-physical address, all others are linear. */
export const spaceOfName = (text: string): Space | null =>
  /^\s*cr3\b/i.test(text)
    ? "gpa"
    : /^\s*(e[a-ds][xpi]|e[bs]p|eip|pc|cr2|[gi]dtr?)\b/i.test(text)
      ? "gva"
      : null;

export type ParsedAddress = { ok: true; address: number } | { ok: false; error: string };

/** Parses "c0101a3e", "0xc0101a3e", "esp+10", "cr3 + 4*20", "gfn:1234". Numbers are hexadecimal. */
export function parseAddress(text: string, space: Space, size: number, cpu: CpuView | null): ParsedAddress {
  const clean = text.trim().toLowerCase();
  if (clean === "")
    return { ok: false, error: "Type an address in hex, or a name: eip, esp, cr3, gfn:1234." };
  const terms = clean.match(/[+-]?[^+-]+/g) ?? [];
  let sum = 0;
  for (const raw of terms) {
    const sign = raw.startsWith("-") ? -1 : 1;
    let product = 1;
    for (const factor of raw.replace(/^[+-]/, "").split("*")) {
      const value = factorValue(factor.trim(), cpu);
      if (value === null)
        return {
          ok: false,
          error:
            cpu === null && /^[a-z]+\d?$/.test(factor.trim())
              ? `“${factor.trim()}” is not known yet; type a hex number.`
              : `“${factor.trim()}” is neither a hex number nor a register, gdt, idt or gfn:N.`,
        };
      product *= value;
    }
    sum += sign * product;
  }
  if (sum < 0 || sum >= size)
    return {
      ok: false,
      error: `${sum < 0 ? "-" : ""}${Math.abs(sum).toString(16)} lies outside ${SPACE_TITLES[space]} space, which ends at ${(size - 1).toString(16)}.`,
    };
  return { ok: true, address: sum };
}

function factorValue(text: string, cpu: CpuView | null): number | null {
  const gfn = /^(?:gfn|hfn|page):?\s*(?:0x)?([0-9a-f]+)$/.exec(text);
  if (gfn !== null) return Number.parseInt(gfn[1]!, 16) * 4096;
  const register = registerValue(text, cpu);
  if (register !== null) return register;
  const number = /^(?:0x)?([0-9a-f][0-9a-f_']*)h?$/.exec(text);
  return number === null ? null : Number.parseInt(number[1]!.replace(/[_']/g, ""), 16);
}
