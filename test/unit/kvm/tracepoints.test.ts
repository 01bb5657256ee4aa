/** KVM's tracepoints as events, and the trace as text in the formats of three versions (10.3). */
import { describe, expect, it } from "vitest";
import { TRACE_FORMATS, TRACEPOINTS, TraceExport, type TraceFormat } from "../../../core/kvm/index.ts";
import { EVENT_KINDS } from "../../../core/trace/events.ts";
import { A, D, Lab, P, U, W } from "./double.ts";

const FULL = P | W | U | A | D;

/** A guest that faults, is mapped, goes out of sync, is flushed, meets an address without memory, and is zapped. */
function story(policy: string): Lab {
  const lab = new Lab({ policy, pages: 2048 });
  lab.poke(0x1000 + 32 * 4, 0x23_4000 | P | W | U);
  lab.poke(0x1000 + 256 * 4, 0x2000 | P | W | U);
  lab.poke(0x2000 + 8, 0x23_4000 | P | W);
  lab.poke(0x23_4000 + 72 * 4, 0x30_0000 | P | W | U);
  lab.poke(0x23_4000 + 73 * 4, 0x7fff_f000 | FULL);
  lab.pagingOn(0x1000);
  lab.read(0x0804_7000, true);
  lab.write(0x0804_8000, 1, true);
  lab.write(0x4000_2000 + 80 * 4, 0x30_1000 | FULL);
  lab.read(0x0804_9000, true);
  lab.read(0x0804_9000, true);
  lab.kvm.setPolicy(policy);
  lab.read(0x0804_8000, true);
  return lab;
}

const text = (policy: string, format: TraceFormat): string[] =>
  new TraceExport(format).lines(story(policy).trace).trimEnd().split("\n");
const named = (lines: string[], name: string): string[] =>
  lines.filter((line) => line.includes(` ${name}: `)).map((line) => line.split(`${name}: `)[1]!);

describe("10.3", () => {
  it("every tracepoint is an event, or says why it cannot happen", () => {
    for (const format of TRACE_FORMATS) {
      const count = TRACEPOINTS.filter((p) => p.formats.includes(format)).length;
      expect([format, count]).toEqual([format, { "2.6.32": 9, "3.1": 13, modern: 18 }[format]]);
    }
    for (const { kind, why } of TRACEPOINTS) {
      if (kind < 0) expect(why.length).toBeGreaterThan(10);
      else expect(EVENT_KINDS[kind]).toBeDefined();
    }
  });

  it("each that can happen does, in the story", () => {
    const seen = new Set<string>();
    for (const policy of ["E2", "E3", "F"]) {
      for (const format of TRACE_FORMATS) {
        for (const line of text(policy, format)) seen.add(line.split(": ")[1]!);
      }
    }
    const wanted = TRACEPOINTS.filter((p) => p.kind >= 0).map((p) => p.name);
    expect(wanted.filter((name) => !seen.has(name))).toEqual(["kvm_mmu_sync_page"]);
  });

  it("2.6.32", () => {
    const lines = text("E2", "2.6.32");
    expect(lines[0]).toMatch(/^ {8}quadrant-1 {5}\[000\] {5}0\.0{6}: kvm_mmu_get_page: /);
    expect(named(lines, "kvm_mmu_get_page")[1]).toBe("sp gfn 1 2/2 q1 wux !pge !nxe root 0 sync new");
    expect(named(lines, "kvm_mmu_pagetable_walk")[0]).toBe("addr 8047000 pferr 4 U");
    expect(named(lines, "kvm_mmu_paging_element")[0]).toBe("pte 234007 level 2");
    expect(named(lines, "kvm_mmu_walker_error")[0]).toBe("pferr 4 U");
    expect(named(lines, "kvm_mmu_set_accessed_bit")[0]).toBe("gpa 1080");
    expect(named(lines, "kvm_mmu_set_dirty_bit")[0]).toBe("gpa 234120");
    expect(named(lines, "kvm_mmu_unsync_page")).toEqual(["sp gfn 234 1/2 q0 wux !pge !nxe root 0 unsync"]);
    expect(named(lines, "kvm_mmu_zap_page").length).toBeGreaterThan(0);
  });

  it("3.1", () => {
    const lines = text("E3", "3.1");
    expect(named(lines, "kvm_mmu_get_page")[1]).toBe("sp gfn 1 2 q1 wux !nxe root 0 sync new");
    expect(named(lines, "mark_mmio_spte")[0]).toMatch(/^sptep:[0-9a-f]{16} gfn 7ffff access 6$/);
    expect(named(lines, "handle_mmio_page_fault")[0]).toBe("addr:8049000 gfn 7ffff access 6");
    expect(named(lines, "kvm_mmu_zap_page")).toEqual([]);
    expect(named(lines, "kvm_mmu_prepare_zap_page").length).toBeGreaterThan(0);
  });

  it("today", () => {
    const lines = text("F", "modern");
    expect(lines[0]).toMatch(/^ {8}quadrant-1 {7}\[000\] \.{5} {5}0\.0{6}: /);
    expect(named(lines, "kvm_mmu_get_page")[1]).toBe(
      "sp gen 0 gfn 1 l2 4-byte q1 wux !nxe ad root 0 sync new",
    );
    expect(named(lines, "kvm_mmu_get_page").at(-1)).toMatch(/^sp gen 1 gfn 234 l1 4-byte q0 wux /);
    expect(named(lines, "kvm_mmu_zap_all_fast")[0]).toMatch(/^kvm-mmu-valid-gen 0 used_pages [0-9a-f]+$/);
    expect(named(lines, "kvm_mmu_set_spte")[0]).toMatch(
      /^gfn 300 spte 1300067 \(rwxu\) level 1 at [0-9a-f]+$/,
    );
    expect(named(lines, "kvm_mmu_spte_requested")[0]).toBe("gfn 300 pfn 1300 level 1");
    expect(named(lines, "check_mmio_spte")[0]).toMatch(/ kvm_gen 0 spte-gen 0 valid 1$/);
  });

  it("a synchronisation is told with the page as it was", () => {
    const lab = story("E2");
    lab.write(0x4000_2000 + 81 * 4, 0);
    lab.cpu.exit.reason = 2;
    lab.cpu.exit.cr = 3;
    lab.cpu.exit.value = 0x1000;
    lab.kvm.handleExit();
    const lines = new TraceExport("2.6.32").lines(lab.trace).split("\n");
    expect(named(lines, "kvm_mmu_sync_page")).toEqual(["sp gfn 234 1/2 q0 wux !pge !nxe root 0 unsync"]);
  });

  it("goes on where it stopped, and says what has left the ring", () => {
    const lab = story("B");
    const whole = new TraceExport("2.6.32");
    const all = whole.lines(lab.trace);
    expect(whole.lines(lab.trace)).toBe("");
    expect(all).not.toContain("lost");
    for (let i = 0; i < 3000; i++) lab.trace.emit(1);
    expect(new TraceExport("2.6.32").lines(lab.trace)).not.toContain("lost");
    for (let i = 0; i < 3000; i++) lab.trace.emit(1);
    expect(new TraceExport("2.6.32").lines(lab.trace)).toMatch(/^# \d+ events were lost here\n/);
  });
});
