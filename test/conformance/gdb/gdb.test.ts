/**
 * The real gdb against the stub: on the built-in kernels, on a C kernel with its debug information, and on a few bytes.
 * What gdb says is held against the lab, which the test has in its hands.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { REGISTERS } from "../../../core/gdb/index.ts";
import { readMemory } from "../../../core/gdb/memory.ts";
import { buildCKernel, canBuildCKernel } from "../../guests/ckernel/build.ts";
import { Attached, hasGdb } from "./attached.ts";

const there = hasGdb();
if (!there) console.warn("SKIPPED: no gdb: the stub is not held against it");
const builds = there && canBuildCKernel();
if (there && !builds) console.warn("SKIPPED: no gcc -m32 or nasm: gdb gets no C kernel");

// Of the nonpae-kernel.
const ALLOC_FRAME = 0xc0100311;
const PAGE_FAULT = 0xc0100243;
const DEMAND_FAULTS = 0xc0110684;
const RUN_USER = 0xc0100600;

let attached: Attached;
const guest = async (id: string, policy: string) => {
  attached = await Attached.guest(id, policy).open();
  return attached;
};
const flat = async (code: readonly number[], policy = "none") => {
  attached = await Attached.image(Uint8Array.from(code), "flat", policy).open();
  return attached;
};
afterEach(async () => attached.close());

const value = (lab: Attached["lab"], name: string): string => {
  const bytes = REGISTERS.find((one) => one.name === name)!.read(lab.machine);
  return `0x${new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true).toString(16)}`;
};

describe.skipIf(!there)("gdb on the built-in kernels", () => {
  test.each(["none", "B", "nested"])("breakpoints, steps and registers under %s", async (policy) => {
    const { lab } = await guest("nonpae-kernel", policy);
    const before = readMemory(lab.machine, 0x100311, 16, true);
    const { text } = await attached.gdb([
      "set breakpoint always-inserted on",
      `hbreak *${ALLOC_FRAME}`,
      `break *${PAGE_FAULT}`,
      "continue",
      "continue",
      "continue",
      "delete 1",
      "continue",
      "stepi",
      "stepi",
      "info registers",
      "info registers system",
      "kill",
    ]);
    expect(text).toContain("Breakpoint 1, 0xc0100311");
    expect(text).toContain("Breakpoint 2, 0xc0100243");
    expect(readMemory(lab.machine, 0x100311, 16, true)).toEqual(before);
    const { machine } = lab;
    expect(machine.cpu.eip >>> 0).toBeGreaterThan(PAGE_FAULT);
    for (const { name, size } of REGISTERS) {
      if (size !== 4 || REGISTERS.find((one) => one.name === name)!.group === "float") continue;
      expect(text, name).toMatch(new RegExp(`^${name} +${value(lab, name)} `, "m"));
    }
    expect(lab.context.running).toBe(false);
    expect(lab.debugger).toEqual({ port: attached.port, state: "listening" });
  });

  test.each(["none", "B", "C"])("watchpoints under %s", async (policy) => {
    const { lab } = await guest("nonpae-kernel", policy);
    const { text } = await attached.gdb([
      `hbreak *${RUN_USER}`,
      "continue",
      `watch *(int *)${DEMAND_FAULTS}`,
      "continue",
      "continue",
      "delete 2",
      `rwatch *(int *)${DEMAND_FAULTS}`,
      `awatch *(char (*)[4096])0xc0102000`,
      "delete 1 4",
      "continue",
      "monitor audit",
      "kill",
    ]);
    expect(text).toContain("Hardware watchpoint 2: *(int *)3222341252");
    expect(text).toMatch(/Old value = 0\s+New value = 1/);
    expect(text).toMatch(/Old value = 1\s+New value = 2/);
    expect(text).toMatch(/Hardware read watchpoint 3: .*\s+Value = \d+/);
    expect(lab.machine.stop.reason).toBe("watchpoint");
    if (policy !== "none") expect(text).toContain("audit clean");
    // Let go, it runs to its end and is what it would have been.
    lab.start(null);
    for (let i = 0; i < 100 && lab.running; i++) lab.slice(1_000_000);
    expect(lab.machine.stop.reason).toBe("hlt");
    expect(lab.machine.time).toBe(351_640);
  });

  test("memory by virtual and by physical address, read and written, and the shadow follows", async () => {
    const { lab } = await guest("nonpae-kernel", "B");
    const { text } = await attached.gdb([
      `hbreak *${RUN_USER}`,
      "continue",
      "x/2xw 0xc0100000",
      "set {int}0xc0103000 = 0x12345678",
      "set {char}0xc0103007 = 0x5a",
      "x/2xw 0xc0103000",
      "maintenance packet Qqemu.PhyMemMode:1",
      "x/2xw 0x103000",
      "set {int}0x00202000 = 0x00300007",
      "maintenance packet qqemu.PhyMemMode",
      "monitor physical off",
      "print/x *(int *)0xc0202000",
      "x/xw 0x20000000",
      "x/xw 0x30000000",
      "monitor xp 0x202000 4",
      "monitor translate 0x20000000 write",
      "monitor audit",
      "kill",
    ]);
    expect(text).toMatch(/0xc0100000:\t0x1badb002\t0x00010003/);
    expect(text).toMatch(/0xc0103000:\t0x12345678\t0x5a\w{6}/);
    expect(text).toMatch(/0x103000:\t0x12345678\t0x5a\w{6}/);
    expect(text).toMatch(/received: "1"/);
    expect(text).toContain("= 0x300007");
    expect(text).toMatch(/0x20000000:\t0x/);
    expect(text).toContain("Cannot access memory at address 0x30000000");
    expect(text).toContain("0x202000: 07 00 30 00");
    expect(text).toContain("gva 0x20000000 -> gpa 0x300000");
    expect(text).toContain("audit clean");
    expect(lab.machine.log.map(({ input }) => input.kind)).toEqual(["poke", "poke", "poke"]);
  });

  test("registers are written, and refused in words", async () => {
    const { lab } = await guest("nonpae-kernel", "B");
    const { text } = await attached.gdb([
      `hbreak *${RUN_USER}`,
      "continue",
      "set $eax = 0xfedcba98",
      "set $st0 = 1.5",
      "set $fctrl = 0x27f",
      "set $cr2 = 0x1000",
      "set $cr3 = $cr3",
      "set $cs = 0x18",
      "set $tr = 1",
      "set $cr4 = 0x80000000",
      "info registers eax st0 fctrl cr2",
      "set $pc = $pc + 1",
      "kill",
    ]);
    expect(text).toContain("cs selects a descriptor, which only an instruction loads");
    expect(text).toContain("tr is written by instructions alone");
    expect(text).toContain("CR4 = 0x80000000 raises GP(0)");
    expect(text).toMatch(/^st0 +1\.5 /m);
    const { cpu } = lab.machine;
    expect(cpu.regs[0]! >>> 0).toBe(0xfedcba98);
    expect(cpu.cr2).toBe(0x1000);
    expect(cpu.fpu.cw).toBe(0x27f);
    expect(cpu.eip >>> 0).toBe(RUN_USER + 1);
  });

  test("monitor commands, and a policy changed on the way", async () => {
    const { lab } = await guest("nonpae-kernel", "none");
    const { text } = await attached.gdb([
      "monitor help",
      "monitor policy",
      "monitor policy Q",
      "monitor policy B",
      `hbreak *${PAGE_FAULT}`,
      "continue",
      "monitor shadow",
      "monitor shadow 0x200",
      "monitor counters",
      "monitor stats",
      "monitor events 3",
      "monitor symbol page_fault",
      "monitor nonsense",
      "monitor reset",
      "maintenance flush register-cache",
      "info registers eip",
      "kill",
    ]);
    expect(text).toContain("monitor translate ADDR");
    expect(text).toContain("policy none");
    expect(text).toContain("there is no policy Q");
    expect(text).toContain("policy B");
    expect(text).toMatch(/shadow pages; \d+ of 256 free; root 0x1000/);
    expect(text).toMatch(/page 0x\w+: gfn 0x200, level 2/);
    expect(text).toMatch(/^ {2}spte \d+: 0x/m);
    expect(text).toMatch(/^exits \d+$/m);
    expect(text).toContain("A kernel without PAE; policy B");
    expect(text).toContain("page_fault = 0xc0100243");
    expect(text).toContain('there is no command "nonsense"');
    expect(text).toMatch(/^eip +0x10062f /m);
    expect(lab.machine.time).toBe(0);
  });

  test("the end of a guest is a stop with its reason, twice; and a triple fault", async () => {
    await guest("nonpae-kernel", "B");
    const { text } = await attached.gdb(["continue", "continue", "kill"]);
    expect(text.match(/Quadrant: halted \(halted with interrupts off\)/g)).toHaveLength(2);
    expect(text).toContain("Program received signal SIGTRAP");
    await attached.close();
    // lidt [limit 0]; ud2
    await flat([0x0f, 0x01, 0x1d, 0x08, 0x00, 0x10, 0x00, 0x90, 0, 0, 0, 0, 0, 0, 0x0f, 0x0b]);
    attached.lab.machine.cpu.eip = 0x100000;
    const over = await attached.gdb(["continue", "x/i $pc", "continue", "info registers eip", "kill"]);
    expect(over.text).toContain("Quadrant: triple fault");
    expect(over.text).toContain("Program received signal SIGSEGV");
    expect(attached.lab.machine.over).toBe(true);
  });

  test("detach lets it run; one attaches again; two at once are one too many", async () => {
    const { lab } = await guest("nonpae-kernel", "B");
    const first = await attached.gdb([`hbreak *${PAGE_FAULT}`, "continue", "detach"]);
    expect(first.text).toContain("Breakpoint 1");
    expect(lab.debugPoints.watchpoints).toEqual([]);
    for (let i = 0; i < 6000 && lab.running; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(lab.machine.stop.reason).toBe("hlt");
    const done = join(tmpdir(), `quadrant-gdb-${process.pid}-${attached.port}`);
    let second: Promise<{ text: string }> | null = null;
    const again = await attached.gdb(
      ["info registers eip", `shell while [ ! -e ${done} ]; do sleep 0.1; done`, "kill"],
      {
        meanwhile: (_child, text) => {
          if (/^eip /m.test(text)) {
            second ??= attached.gdb(["info registers eip"]).finally(() => writeFileSync(done, ""));
          }
        },
      },
    );
    expect(again.text).toMatch(/^eip +0xc01004d9 /m);
    rmSync(done);
    expect((await second!).text).toContain("another gdb is attached to this machine");
  });
});

describe.skipIf(!there)("gdb on a few bytes", () => {
  test("interrupts a loop that never ends", async () => {
    const { lab } = await flat([0x40, 0xeb, 0xfd]); // inc eax; jmp
    let asked = false;
    const { text } = await attached.gdb(["echo begun\\n", "continue", "info registers eip", "kill"], {
      meanwhile: (child, said) => {
        if (asked || !said.includes("begun")) return;
        asked = true;
        const wait = setInterval(() => {
          if (!lab.running || lab.time < 1000) return;
          clearInterval(wait);
          child.kill("SIGINT");
        }, 20);
      },
    });
    expect(text).toContain("Program received signal SIGINT");
    expect(text).toMatch(/^eip +0x10000[01] /m);
    expect(lab.machine.time).toBeGreaterThan(1000);
  });

  test("a step over an instruction that faults ends at its handler; over INT n too", async () => {
    // lidt [0x100020]; int 0x21; the gate of 0x21 leads to 0x100100
    const code = new Array<number>(0x300).fill(0x90);
    code.splice(0, 9, 0x0f, 0x01, 0x1d, 0x20, 0x00, 0x10, 0x00, 0xcd, 0x21);
    code.splice(0x20, 6, 0xff, 0x07, 0x80, 0x00, 0x10, 0x00);
    code.splice(0x80 + 0x21 * 8, 8, 0x00, 0x02, 0x08, 0x00, 0x00, 0x8e, 0x10, 0x00);
    code.splice(0x80 + 6 * 8, 8, 0x80, 0x02, 0x08, 0x00, 0x00, 0x8e, 0x10, 0x00);
    code.splice(0x200, 3, 0x90, 0x0f, 0x0b);
    await flat(code, "B");
    const { text } = await attached.gdb([
      ...["stepi", "stepi", "info registers eip", "stepi", "stepi", "info registers eip", "kill"],
    ]);
    expect(text.match(/^eip +0x\w+/gm)).toEqual(["eip            0x100200", "eip            0x100280"]);
  });

  test("real mode: breakpoints are linear, gdb's pc is EIP", async () => {
    await flat([0x90]);
    const { machine } = attached.lab;
    machine.cpu.powerOn();
    machine.cpu.segBase[1] = 0x100000;
    machine.cpu.segmentsChanged();
    machine.cpu.eip = 0;
    machine.input({
      kind: "poke",
      gpa: 0x100000,
      bytes: Uint8Array.from([0x90, 0xb8, 0x34, 0x12, 0xeb, 0xfb]),
    });
    const { text } = await attached.gdb(
      [
        "hbreak *0x100001",
        "continue",
        "stepi",
        "info registers eip eax cs_base",
        "x/i $cs_base + $eip",
        "kill",
      ],
      { before: ["set architecture i8086"] },
    );
    expect(text).toMatch(/^eip +0x4 /m);
    expect(text).toMatch(/^eax +0x1234 /m);
    expect(text).toMatch(/^cs_base +0x100000 /m);
    expect(text).toContain("0x100004:\tjmp    0x100001");
  });
});

describe.skipIf(!there)("gdb on the PC", () => {
  test.each(["none", "B"])("from the reset vector on, in a ROM, under %s", async (policy) => {
    // At the reset vector: jmp F000:0100. There: mov ax, 0x1234; mov [0x7e00], ax; jmp back to the store.
    const rom = new Uint8Array(0x10000).fill(0x90);
    rom.set([0xea, 0x00, 0x01, 0x00, 0xf0], 0xfff0);
    rom.set([0xb8, 0x34, 0x12, 0xa3, 0x00, 0x7e, 0xeb, 0xfb], 0x100);
    attached = await Attached.image(rom, "rom", policy, { machine: "pc" }).open();
    const { text } = await attached.gdb(
      [
        ...["info registers eip cs_base", "x/i $cs_base + $eip", "hbreak *0xf0100", "continue"],
        ...["info registers eip cs", "x/2i $cs_base + $eip", "stepi", "info registers ax"],
        ...[
          "watch *(short *)0x7e00",
          "continue",
          "info registers eip",
          "x/xb 0xa0000",
          "x/2xb 0xb8000",
          "kill",
        ],
      ],
      { before: ["set architecture i8086"] },
    );
    expect(text).toMatch(/^eip +0xfff0 /m);
    expect(text).toMatch(/^cs_base +0xffff0000 /m);
    expect(text).toMatch(/0xfffffff0:\tljmp /);
    expect(text).toMatch(/^eip +0x100 /m);
    expect(text).toMatch(/^cs +0xf000 /m);
    expect(text).toMatch(/^ax +0x1234 /m);
    expect(text).toMatch(/Old value = 0\s+New value = 4660/);
    expect(text).toMatch(/^eip +0x106 /m);
    expect(text).toContain("Cannot access memory at address 0xa0000");
    // Errors come on a pipe of their own, in between.
    expect(text).toContain("0xb8000:");
    expect(text).not.toContain("Cannot access memory at address 0xb8000");
  });
});

describe.skipIf(!builds)("gdb on a C kernel with its debug information", () => {
  let dir = "";
  let file = "";
  let bytes = new Uint8Array(0);
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "quadrant-gdb-"));
    file = join(dir, "kernel.elf");
    bytes = new Uint8Array(buildCKernel(["-g", "-O1"]));
    writeFileSync(file, bytes);
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test.each(["none", "B", "E2", "nested"])(
    "symbols, frames, next, finish, watch and calls under %s",
    async (policy) => {
      attached = await Attached.image(bytes, "auto", policy).open();
      const { text } = await attached.gdb(
        [
          ...[
            "break page_fault",
            "continue",
            "backtrace",
            "print/x error",
            "print/x address",
            "info symbol $pc",
          ],
          ...["watch handed_out", "continue", "delete", "next", "next", "next"],
          ...["tbreak division", "continue", "next", "next", "next", "print value > 1", "finish"],
          ...["print primes_below(100)", "print queens(4)", "info registers eip", "list kernel_main", "kill"],
        ],
        { before: [`file ${file}`] },
      );
      expect(text).toMatch(/Breakpoint 1, page_fault \(error=.*, address=.*\) at .*paging\.c/);
      expect(text).toMatch(/#1 .* page_fault_entry/);
      expect(text).toMatch(/= 0x400\w+/);
      expect(text).toContain("page_fault");
      expect(text).toMatch(/Hardware watchpoint 2: handed_out\s+Old value = 0\s+New value = 1/);
      expect(text).toContain("Temporary breakpoint 3, division ()");
      expect(text).toContain("= 25");
      expect(text).toContain("= 2\n");
      expect(text).not.toContain("Error");
      expect(attached.lab.machine.over).toBe(false);
    },
  );
});
