/** Watchpoints from outside: which accesses stop the machine, where, and that it is the same machine with them. */
import { describe, expect, test } from "vitest";
import type { Machine } from "../../../core/machine/machine.ts";
import { WATCH_READ, WATCH_WRITE } from "../../../core/x86/watchpoints.ts";
import { bootFlat, bootGuest } from "./boot.ts";

const CODE = 0x100000;
const DATA = 0x101000;
const le = (value: number) => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];

function watch(machine: Machine, address: number, length: number, kind: number): void {
  machine.cpu.setWatchpoints([{ address, length, kind }]);
}

/** Runs to the next stop: what it was, EIP behind the code's beginning, time. */
function next(machine: Machine): [string, number, number] {
  machine.run(10_000);
  return [machine.stop.reason, machine.cpu.eip - CODE, machine.time];
}

describe.each(["none", "B", "nested"])("under %s", (policy) => {
  test("each iteration of a REP instruction is a place to stop", () => {
    // mov edi, DATA; mov ecx, 4; rep stosb; hlt
    const machine = bootFlat([0xbf, ...le(DATA), 0xb9, ...le(4), 0xf3, 0xaa, 0xf4], { policy });
    watch(machine, DATA + 1, 2, WATCH_WRITE);
    expect(next(machine)).toEqual(["watchpoint", 10, 4]);
    expect(machine.stop.detail).toBe("a write to 0x101001");
    expect(next(machine)).toEqual(["watchpoint", 10, 5]);
    expect(next(machine)[0]).toBe("hlt");
  });

  test("what reads and writes is both; what only computes an address is neither", () => {
    // inc dword [DATA]; lea eax, [DATA]; cmp dword [DATA], 1; xadd [DATA], ebx; push dword [DATA]; hlt
    const code = [
      ...[0xff, 0x05, ...le(DATA), 0x8d, 0x05, ...le(DATA), 0x83, 0x3d, ...le(DATA), 1],
      ...[0x0f, 0xc1, 0x1d, ...le(DATA), 0xff, 0x35, ...le(DATA), 0xf4],
    ];
    const reads = bootFlat(code, { policy });
    reads.cpu.regs[4] = 0x8000;
    watch(reads, DATA, 4, WATCH_READ);
    for (const at of [6, 19, 26, 32]) expect(next(reads).slice(0, 2)).toEqual(["watchpoint", at]);
    expect(next(reads)[0]).toBe("hlt");
    const writes = bootFlat(code, { policy });
    writes.cpu.regs[4] = 0x8000;
    watch(writes, DATA, 4, WATCH_WRITE);
    for (const at of [6, 26]) expect(next(writes).slice(0, 2)).toEqual(["watchpoint", at]);
    expect(next(writes)[0]).toBe("hlt");
  });

  test("a delivery's pushes and gates count, at the handler's first instruction", () => {
    const code = new Array<number>(0x300).fill(0xf4);
    // mov esp, 0x8000; lidt [0x100040]; int 0x21
    code.splice(0, 14, 0xbc, ...le(0x8000), 0x0f, 0x01, 0x1d, ...le(CODE + 0x40), 0xcd, 0x21);
    code.splice(0x40, 6, 0xff, 0x07, ...le(CODE + 0x80));
    code.splice(0x80 + 0x21 * 8, 8, 0x00, 0x02, 0x08, 0x00, 0x00, 0x8e, 0x10, 0x00);
    const machine = bootFlat(code, { policy });
    watch(machine, 0x7ff8, 4, WATCH_WRITE);
    expect(next(machine).slice(0, 2)).toEqual(["watchpoint", 0x200]);
    const gate = bootFlat(code, { policy });
    watch(gate, CODE + 0x80 + 0x21 * 8, 8, WATCH_READ);
    expect(next(gate).slice(0, 2)).toEqual(["watchpoint", 0x200]);
  });

  test("an instruction that faults behind its first access is not told", () => {
    const code = new Array<number>(0x200).fill(0xf4);
    // lidt; mov esi, DATA; mov edi, 0xfffff000 (no memory, but no fault: bare); div by 0 behind a read of DATA
    code.splice(0, 13, 0x0f, 0x01, 0x1d, ...le(CODE + 0x40), 0xf7, 0x35, ...le(DATA));
    code.splice(0x40, 6, 0xff, 0x00, ...le(CODE + 0x80));
    code.splice(0x80, 8, 0x00, 0x01, 0x08, 0x00, 0x00, 0x8e, 0x10, 0x00);
    const machine = bootFlat(code, { policy });
    machine.cpu.regs[4] = 0x8000;
    watch(machine, DATA, 4, WATCH_READ);
    expect(next(machine).slice(0, 2)).toEqual(["hlt", 0x101]);
  });

  test("an edit from outside is none of the guest's accesses", () => {
    const machine = bootFlat([0x90, 0x90, 0xf4], { policy });
    watch(machine, DATA, 4, WATCH_WRITE | WATCH_READ);
    machine.input({ kind: "edit", space: "gva", as: "guest0", address: DATA, size: 4, low: 1, high: 0 });
    expect(next(machine)[0]).toBe("hlt");
  });
});

test.each<[string, boolean]>([
  ["none", true],
  ["B", true],
  ["B", false],
  ["C", false],
  ["nested", true],
])("a kernel with hundreds of stops is the kernel without, under %s, traced: %s", (policy, traced) => {
  const plain = bootGuest("quadrant", { policy });
  plain.trace.on = traced;
  while (plain.run(1_000_000));
  const watched = bootGuest("quadrant", { policy });
  watched.trace.on = traced;
  // Stores into a page table: emulated ones too.
  watched.cpu.setWatchpoints([{ address: 0x1234000, length: 0x1000, kind: WATCH_WRITE }]);
  let stops = 0;
  for (;;) {
    if (watched.run(1_000_000)) continue;
    if (watched.stop.reason !== "watchpoint") break;
    stops++;
  }
  expect(stops).toBeGreaterThan(500);
  expect(watched.stop).toEqual(plain.stop);
  expect(watched.stamp).toEqual(plain.stamp);
  expect(watched.cpu.save()).toEqual(plain.cpu.save());
  expect(watched.counts()).toEqual(plain.counts());
});
