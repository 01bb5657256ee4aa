/** The machine as a pure function of image, setup and inputs: stops, inputs, snapshots, replay, policy changes. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CodecError } from "../../../core/machine/codec.ts";
import type { Input } from "../../../core/machine/inputs.ts";
import { type Machine, MachineError } from "../../../core/machine/machine.ts";
import {
  replay,
  restoreSnapshot,
  snapshotFromBytes,
  snapshotToBytes,
  takeSnapshot,
} from "../../../core/machine/snapshot.ts";
import { EV_TRIPLE_FAULT } from "../../../core/trace/events.ts";
import { bootFlat, bootGuest } from "./boot.ts";

const bytesOf = (machine: Machine) => snapshotToBytes(takeSnapshot(machine));
/** Equal byte for byte (comparing megabytes element by element would take the test's time). */
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
const serialOf = (machine: Machine) => String.fromCharCode(...machine.serial.output());

/** in al,dx from COM1 by polling LSR, echo it, for ever. */
const ECHO = [
  0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf7, 0x66, 0xba, 0xf8, 0x03, 0xec, 0xee, 0xeb, 0xef,
];
/** An IDT at 0x2000 with a gate for 0x24 that echoes a byte; IER on; sti; hlt; jmp to hlt. */
const INTERRUPT_ECHO = [
  // mov dword [0x2120], 0x00080000 | low(handler); mov dword [0x2124], 0x00108e00
  0xc7, 0x05, 0x20, 0x21, 0x00, 0x00, 0x30, 0x00, 0x08, 0x00, 0xc7, 0x05, 0x24, 0x21, 0x00, 0x00, 0x00, 0x8e,
  0x10, 0x00,
  // mov word [0x3000], 0x7ff; mov dword [0x3002], 0x2000; lidt [0x3000]
  0x66, 0xc7, 0x05, 0x00, 0x30, 0x00, 0x00, 0xff, 0x07, 0xc7, 0x05, 0x02, 0x30, 0x00, 0x00, 0x00, 0x20, 0x00,
  0x00, 0x0f, 0x01, 0x1d, 0x00, 0x30, 0x00, 0x00,
  // nop; nop (handler is at 0x100030 + padding below); jmp start
  0xeb, 0x0b,
  // 0x100030: handler: push eax; push edx; mov dx,0x3f8; in al,dx; out dx,al; pop edx; pop eax; iret
  0x50, 0x52, 0x66, 0xba, 0xf8, 0x03, 0xec, 0xee, 0x5a, 0x58, 0xcf,
  // start: mov dx,0x3f9; mov al,1; out dx,al; sti; hlt; jmp hlt
  0x66, 0xba, 0xf9, 0x03, 0xb0, 0x01, 0xee, 0xfb, 0xf4, 0xeb, 0xfd,
];

describe("stops", () => {
  test("HLT with interrupts off ends the run", () => {
    const machine = bootFlat([0x90, 0xf4], { policy: "none" });
    expect(machine.run(100)).toBe(false);
    expect(machine.stop.reason).toBe("hlt");
    expect(machine.instructions).toBe(2);
    expect(machine.waiting).toBe(false);
  });

  test("a budget is used up exactly", () => {
    for (const policy of ["none", "B"]) {
      const machine = bootGuest("nonpae-kernel", { policy });
      for (const budget of [1, 2, 3, 1000, 77_777]) {
        const before = machine.time;
        expect(machine.run(budget)).toBe(true);
        expect(machine.time).toBe(before + budget);
      }
    }
  });

  test("a triple fault is the end", () => {
    const machine = bootFlat([0x0f, 0x0b], { policy: "B" }); // ud2 without an IDT
    machine.run(100);
    expect(machine.stop.reason).toBe("triple-fault");
    expect(machine.over).toBe(true);
    expect(machine.run(100)).toBe(false);
    expect(() => machine.input({ kind: "serial", bytes: Uint8Array.of(1) })).toThrow("the machine is over");
  });

  test.each(["none", "B"])("or a reset, as chosen, and an event either way (%s)", (policy) => {
    const machine = bootFlat([0x0f, 0x0b], { policy, tripleFault: "reset" });
    machine.stopAtEvents = new Set([EV_TRIPLE_FAULT]);
    machine.run(100);
    expect(machine.stop.reason).toBe("event");
    const { cpu } = machine;
    expect([cpu.eip, cpu.linearIp >>> 0, cpu.cr0 & 1, cpu.regs[2]]).toEqual([0xfff0, 0xffff_fff0, 0, 0x633]);
    machine.stopAtEvents = null;
    // There is no ROM: what is fetched is all ones, #UD, and the table at 0 leads into the empty memory.
    expect(machine.run(200)).toBe(true);
    expect(machine.over).toBe(false);
  });

  test("an instruction that is missing stops with its bytes and name, or raises #UD", () => {
    const machine = bootFlat([0x0f, 0x37], { policy: "B" }); // getsec
    machine.run(10);
    expect(machine.stop.reason).toBe("unimplemented");
    expect(machine.stop.detail).toMatch(/at 0x100000, bytes 0f 37/);
    const lenient = bootFlat([0x0f, 0x37], { policy: "B", unimplemented: "ud" });
    lenient.run(10);
    expect(lenient.stop.reason).toBe("triple-fault");
  });

  test("a broken assertion of ours is a bug with a name, and the state stays", () => {
    const machine = bootFlat(ECHO, { policy: "B" });
    machine.run(100);
    const before = machine.time;
    machine.serial.readPort = () => {
      throw new Error("the port broke");
    };
    machine.run(100);
    expect(machine.stop.reason).toBe("bug");
    expect(machine.stop.detail).toContain("the port broke");
    expect(machine.time).toBeGreaterThanOrEqual(before);
  });
});

describe("input", () => {
  test.each(["none", "B"])("polled input is echoed (%s)", (policy) => {
    const machine = bootFlat(ECHO, { policy });
    machine.run(1000);
    machine.input({ kind: "serial", bytes: Uint8Array.of(0x48, 0x69) });
    machine.run(1000);
    expect(serialOf(machine)).toBe("Hi");
  });

  test.each(["none", "P", "B", "C", "nested"])("an interrupt wakes a halted guest (%s)", (policy) => {
    const machine = bootFlat(INTERRUPT_ECHO, { policy });
    machine.run(1000);
    expect(machine.stop.reason).toBe("hlt");
    expect(machine.waiting).toBe(true);
    machine.input({ kind: "serial", bytes: Uint8Array.of(0x41, 0x42, 0x43) });
    machine.run(1000);
    expect(serialOf(machine)).toBe("ABC");
    expect(machine.waiting).toBe(true);
  });

  test.each(["none", "B"])("an interrupt raised by hand is delivered once (%s)", (policy) => {
    const machine = bootFlat(INTERRUPT_ECHO, { policy });
    machine.run(1000);
    const before = machine.instructions;
    machine.input({ kind: "interrupt", vector: 0x24 });
    machine.run(1000);
    expect(machine.instructions - before).toBe(8 + 2); // the handler, jmp, hlt
    expect(machine.waiting).toBe(true);
    expect(serialOf(machine)).toBe("\0"); // it read the empty port once
  });

  test("what makes no sense is refused and not logged", () => {
    const machine = bootFlat(ECHO);
    const edit = { kind: "edit", size: 4, low: 0, high: 0 } as const;
    expect(() => machine.input({ ...edit, space: "gpa", as: "raw", address: 0 })).toThrow("emulator, device");
    expect(() => machine.input({ ...edit, space: "gpa", as: "device", address: 16 << 20 })).toThrow(
      "no memory",
    );
    expect(() => machine.input({ ...edit, space: "hpa", as: "raw", address: 2 ** 31 - 4 })).toThrow(
      "host memory",
    );
    expect(() => machine.input({ ...edit, space: "gva", as: "guest0", address: 2 ** 32 - 2 })).toThrow(
      "behind gva",
    );
    expect(() => machine.input({ kind: "policy", policy: "Z" })).toThrow("there is no policy Z");
    expect(() => machine.input({ kind: "hazard", hazard: "x", setting: "guarded" })).toThrow("no hazard x");
    expect(machine.log).toEqual([]);
  });
});

describe("policies on one timeline", () => {
  test.each(["nonpae-kernel", "pae-kernel", "quadrant"])("%s prints the same under all", (id) => {
    const runs = ["none", "P", "B", "C", "nested"].map((policy) => {
      const machine = bootGuest(id, { policy });
      machine.run(10_000_000);
      expect(machine.stop.reason).toBe("hlt");
      expect(machine.audit().violations).toEqual([]);
      const { memory, slots } = machine;
      const guest = takeSnapshot(machine).memory;
      const own = [...guest.hfns].filter((hfn) => slots.gfnOf(hfn) >= 0);
      return { serial: serialOf(machine), time: machine.time, frames: own.length, memory };
    });
    for (const run of runs) {
      expect(run.serial).toBe(runs[0]!.serial);
      expect(run.time).toBe(runs[0]!.time);
      expect(run.frames).toBe(runs[0]!.frames);
    }
  });

  test("a live machine changes its policy, to and from none, and ends the same", () => {
    const plain = bootGuest("pae-kernel", { policy: "none" });
    plain.run(10_000_000);
    const machine = bootGuest("pae-kernel", { policy: "B" });
    for (const policy of ["C", "nested", "none", "P", "none", "nested", "B"]) {
      machine.run(40_000);
      machine.input({ kind: "policy", policy });
      expect(machine.setup.policy).toBe(policy);
      expect(machine.kvm === null).toBe(policy === "none" || policy === "nested");
      expect(machine.nested !== null).toBe(policy === "nested");
      expect(machine.audit().violations).toEqual([]);
    }
    machine.run(10_000_000);
    expect(serialOf(machine)).toBe(serialOf(plain));
    expect(machine.time).toBe(plain.time);
  });

  test("under D the audit finds the corruption by itself and can stop at it", () => {
    const machine = bootGuest("quadrant", { policy: "D", audit: "every", findings: "stop" });
    machine.run(10_000_000);
    expect(machine.stop.reason).toBe("finding");
    expect(machine.stop.detail).toMatch(
      /^I9: spte 72 of shadow page .* seen first at 0x[0-9a-f]+, time \d+; after .*emulate/,
    );
    expect(machine.run(10)).toBe(true); // one can go on
  });
});

describe("snapshots", () => {
  test("save and restore give the same bytes, and the same future", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("quadrant", "nonpae-kernel", "pae-kernel"),
        fc.constantFrom("none", "P", "B", "C", "nested"),
        fc.constantFrom("vmx", "svm"),
        fc.integer({ min: 0, max: 320_000 }),
        fc.integer({ min: 0, max: 20_000 }),
        (id, policy, tlb, before, after) => {
          const machine = bootGuest(id, { policy, tlb: tlb as "vmx" | "svm" });
          machine.run(before);
          const bytes = bytesOf(machine);
          const again = restoreSnapshot(snapshotFromBytes(bytes), machine.trace);
          expect(same(bytesOf(again), bytes)).toBe(true);
          machine.trace.clock = machine.cpu;
          machine.run(after);
          again.run(after);
          expect(same(bytesOf(again), bytesOf(machine))).toBe(true);
        },
      ),
      { numRuns: 12 },
    );
  });

  test("a damaged snapshot is refused in a sentence", () => {
    const bytes = bytesOf(bootFlat(ECHO));
    bytes[1000]! ^= 1;
    expect(() => snapshotFromBytes(bytes)).toThrow(CodecError);
    expect(() => snapshotFromBytes(bytes)).toThrow(/damaged: its checksum/);
  });

  test("untouched pages are not in it", () => {
    const machine = bootFlat(ECHO, { memory: 1 << 30, policy: "none" });
    expect(bytesOf(machine).length).toBeLessThan(100_000);
  });
});

const input: fc.Arbitrary<Input> = fc.oneof(
  fc.record({ kind: fc.constant("serial" as const), bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }) }),
  fc.record({
    kind: fc.constant("edit" as const),
    space: fc.constant("gva" as const),
    as: fc.constantFrom("guest0" as const, "guest3" as const, "emulator" as const),
    address: fc.constantFrom(0x08048000, 0x08248000, 0x5671000, 0x9000, 0xdead0000),
    size: fc.constantFrom(1, 2, 4, 8),
    low: fc.constantFrom(0, 0x12345678),
    high: fc.constantFrom(0, 7),
  }),
  fc.record({
    kind: fc.constant("dma" as const),
    gpa: fc.constantFrom(0x8000, 0x8ffe),
    bytes: fc.uint8Array({ maxLength: 9 }),
  }),
  fc.record({
    kind: fc.constant("policy" as const),
    policy: fc.constantFrom("none", "P", "B", "C", "nested"),
  }),
  fc.record({
    kind: fc.constant("nested" as const),
    levels: fc.constantFrom(3 as const, 4 as const),
    walkCache: fc.constantFrom(0, 1, 16),
  }),
  fc.record({ kind: fc.constant("tlb" as const), tlb: fc.constantFrom("vmx" as const, "svm" as const) }),
);

describe("replay", () => {
  test("a snapshot plus the log gives the same bytes, however the run was cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 9000 }), fc.boolean(), input), {
          minLength: 1,
          maxLength: 8,
        }),
        fc.integer({ min: 0, max: 60_000 }),
        (steps, first) => {
          const machine = bootGuest("quadrant", { policy: "B" });
          machine.run(first);
          const start = snapshotFromBytes(bytesOf(machine));
          machine.log.length = 0;
          for (const [budget, breakpoint, what] of steps) {
            // A breakpoint at the guest's page fault handler stops between a delivery and the next unit.
            machine.cpu.setBreakpoints(breakpoint ? [handlerOf(machine)] : []);
            machine.run(budget);
            try {
              machine.input(what);
            } catch (error) {
              expect(error).toBeInstanceOf(MachineError); // no memory there yet: refused in words
            }
          }
          machine.cpu.setBreakpoints([]);
          const end = machine.stamp;
          const again = restoreSnapshot(start);
          replay(again, machine.log);
          again.advanceTo(end);
          expect(same(bytesOf(again), bytesOf(machine))).toBe(true);
          expect(again.log).toEqual(machine.log);
        },
      ),
      { numRuns: 20 },
    );
  });

  test("stepping equals running", () => {
    const a = bootGuest("quadrant", { policy: "C" });
    const b = bootGuest("quadrant", { policy: "C" });
    a.run(30_000);
    b.run(26_000);
    for (let i = 0; i < 4000; i++) b.run(1);
    expect(same(bytesOf(b), bytesOf(a))).toBe(true);
    const c = bootGuest("quadrant", { policy: "C", audit: "every" });
    c.run(30_000);
    c.setAudit("end", "mark");
    expect(same(bytesOf(c), bytesOf(a))).toBe(true);
  });
});

/** Where the guest's #PF gate leads, or 0 before it has an IDT. */
function handlerOf(machine: Machine): number {
  const { cpu } = machine;
  const gpa = machine.translate((cpu.idtBase + 14 * 8) >>> 0);
  const hfn = gpa < 0 ? -1 : machine.slots.hfnOf(Math.floor(gpa / 4096));
  if (hfn < 0) return 0;
  const at = hfn * 4096 + (gpa % 4096);
  const { view } = machine.memory;
  return (view.getUint16(at, true) | (view.getUint16(at + 6, true) << 16)) >>> 0;
}
