/**
 * The short way of an exit for a page fault (core/kvm/exits/plain-fault.ts): which faults take it, and what it does. That it
 * does what the general way does is held by the property test "stepping equals running".
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openImage } from "../../../core/images/index.ts";
import { plainPageFault } from "../../../core/kvm/exits/plain-fault.ts";
import { Machine } from "../../../core/machine/machine.ts";
import { FLUSH_EXIT } from "../../../core/trace/events.ts";
import { Trace } from "../../../core/trace/trace.ts";
import { EXIT_PF, RUN_EXIT } from "../../../core/x86/door.ts";

const MEMORY = 16 << 20;
/** The entry that the loop writes (test/bench/loops.asm): PT1 + (WINDOW >> 12 & 3ff) * 4. */
const ENTRY = 0x20_2000 + 0x100 * 4;

/** The benchmark's loop that writes an entry, executes INVLPG and touches the page, in its middle. */
function looping(policy = "B"): Machine {
  const bytes = new Uint8Array(readFileSync("test/bench/loops.bin"));
  const view = new DataView(bytes.buffer);
  view.setUint32(0x40, 3, true);
  view.setUint32(0x44, 1_000_000, true);
  const opened = openImage(bytes, "multiboot", { memory: MEMORY, memoryHigh: 0 });
  if (!opened.ok) throw new Error(opened.error);
  const trace = new Trace(1 << 10);
  trace.on = false;
  const setup = {
    memory: MEMORY,
    memoryHigh: 0,
    policy,
    tlb: "vmx",
    hazards: {},
    audit: "off",
    findings: "stop",
    unimplemented: "stop",
  } as const;
  const machine = Machine.boot(setup, opened.image, trace);
  machine.run(40_000);
  return machine;
}

/** Runs to the next exit, which is left for the caller to answer; the TLB is flushed, as every exit does under vmx. */
function toExit(machine: Machine): Machine["cpu"]["exit"] {
  expect(machine.cpu.run(1000)).toBe(RUN_EXIT);
  expect(machine.cpu.exit.reason).toBe(EXIT_PF);
  machine.cpu.paging.flush(FLUSH_EXIT, false);
  return machine.cpu.exit;
}

const isStore = (exit: Machine["cpu"]["exit"]): boolean => (exit.error & 2) !== 0;
const word = (machine: Machine, gpa: number): number =>
  machine.memory.view.getUint32(machine.slots.hfnOf(gpa >>> 12) * 4096 + (gpa & 0xfff), true);

describe("a plain page fault", () => {
  it("of a store into a shadowed table is emulated: the entry, the time, the counters", () => {
    const machine = looping();
    const mmu = machine.hypervisor().mmu;
    let exit = toExit(machine);
    if (!isStore(exit)) {
      expect(machine.hypervisor().handleExit()).toBe(0);
      exit = toExit(machine);
    }
    expect(exit.storeFrom).toBe(machine.slots.hfnOf(0x100));
    const { eip, retired } = machine.cpu;
    const before = machine.hypervisor().counters;
    expect(plainPageFault(mmu)).toBe(true);
    expect(word(machine, ENTRY)).toBe(exit.value >>> 0);
    // MOV [ESI], EDX has two bytes.
    expect([machine.cpu.eip - eip, machine.cpu.retired - retired]).toEqual([2, 1]);
    const after = machine.hypervisor().counters;
    const grown = Object.keys(after).filter((name) => after[name] !== before[name]);
    expect(grown.sort()).toEqual(["exits", "light_exits", "mmu_pte_write", "pf_fixed"]);
    expect(machine.audit().violations).toEqual([]);
  });

  it("of a leaf that was cleared fills it, and the instruction runs again", () => {
    const machine = looping();
    const mmu = machine.hypervisor().mmu;
    let exit = toExit(machine);
    if (isStore(exit)) {
      expect(machine.hypervisor().handleExit()).toBe(0);
      exit = toExit(machine);
    }
    expect(exit.storeFrom).toBe(-1);
    const { eip, retired } = machine.cpu;
    const before = machine.hypervisor().counters;
    expect(plainPageFault(mmu)).toBe(true);
    expect([machine.cpu.eip, machine.cpu.retired]).toEqual([eip, retired]);
    const after = machine.hypervisor().counters;
    const grown = Object.keys(after).filter((name) => after[name] !== before[name]);
    expect(grown.sort()).toEqual(["exits", "light_exits", "pf_fixed", "refills"]);
    expect(machine.audit().violations).toEqual([]);
  });

  it("takes the general way, and changes nothing here, while somebody looks or where something is unusual", () => {
    const unusual: [string, (machine: Machine) => void][] = [
      ["the trace is on", (m) => (m.trace.on = true)],
      ["A is clear in the guest's entry", (m) => m.hypervisor().mmu.setGuestWord(0x202, 0x400, 0x60_0047)],
      ["the entry is not there", (m) => m.hypervisor().mmu.setGuestWord(0x202, 0x400, 0)],
      [
        "the same instruction has exited before",
        (m) => {
          const { mmu } = m.hypervisor();
          mmu.stuckRetired = m.cpu.retired;
          mmu.stuckIp = m.cpu.linearIp;
        },
      ],
      ["few pages are free", (m) => (m.hypervisor().mmu.nFree = 4)],
    ];
    for (const [what, make] of unusual) {
      const machine = looping();
      if (isStore(toExit(machine))) {
        expect(machine.hypervisor().handleExit()).toBe(0);
        toExit(machine);
      }
      make(machine);
      const before = JSON.stringify(machine.hypervisor().counters);
      expect(plainPageFault(machine.hypervisor().mmu), what).toBe(false);
      expect(JSON.stringify(machine.hypervisor().counters), what).toBe(before);
    }
  });

  it("is of the policies of 2007 alone", () => {
    const machine = looping("E1");
    toExit(machine);
    expect(plainPageFault(machine.hypervisor().mmu)).toBe(false);
  });
});
