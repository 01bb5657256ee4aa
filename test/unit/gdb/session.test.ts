/** The stub's packets, one by one: what each answers, what it does to the machine, what is refused and how. */
import { describe, expect, test } from "vitest";
import { TARGET_XML } from "../../../core/gdb/description.ts";
import { PACKET_SIZE, REGISTERS } from "../../../core/gdb/index.ts";
import { POINTS_MOST } from "../../../core/gdb/points.ts";
import { attach, Client, CODE, labOf } from "./stub.ts";

/** inc eax; mov [0x101000], eax; mov ebx, [0x101000]; jmp to the beginning */
const LOOP = [0x40, 0xa3, 0x00, 0x10, 0x10, 0x00, 0x8b, 0x1d, 0x00, 0x10, 0x10, 0x00, 0xeb, 0xf2];
const WORD = 0x101000;
const HLT = [0xf4];
const le = (value: number) =>
  [0, 8, 16, 24].map((by) => ((value >>> by) & 0xff).toString(16).padStart(2, "0")).join("");

describe("beginning", () => {
  test("who connects and says nothing is not noticed; the first packet holds the machine", () => {
    const lab = labOf(LOOP);
    lab.start(null);
    const client = attach(lab);
    expect(lab.running).toBe(true);
    expect(lab.debugger).toEqual({ port: 1234, state: "listening" });
    expect(client.ask("qSupported:swbreak+;hwbreak+")).toContain(`PacketSize=${PACKET_SIZE.toString(16)};`);
    expect(lab.running).toBe(false);
    expect(lab.debugger?.state).toBe("stopped");
    expect(client.ask("?")).toMatch(/^T05thread:1;08:00001000;/);
    expect(client.acks).toBe(2);
  });

  test("without acknowledgements, from the packet behind the one that says so", () => {
    const client = attach(labOf(LOOP));
    expect(client.ask("QStartNoAckMode")).toBe("OK");
    expect(client.ask("qAttached")).toBe("1");
    expect(client.acks).toBe(1);
  });

  test("the last reply again, a damaged packet, one that is too long", () => {
    const client = attach(labOf(LOOP));
    client.ask("qC");
    client.raw("-");
    expect(client.packets).toEqual(["QC1", "QC1"]);
    client.raw("$qC#00");
    expect(client.naks).toBe(1);
    expect(client.ask("m0,".padEnd(PACKET_SIZE + 1, "0"))).toContain("E.the packet is longer");
    expect(client.ask("qC")).toBe("QC1");
  });

  test("an HTTP request is turned away with a sentence, whatever is in it, and the machine runs on", () => {
    const lab = labOf(LOOP);
    lab.start(null);
    const client = attach(lab);
    client.raw("POST / HTTP/1.1\r\n\r\n$M100000,1:f4#00");
    expect(client.plain).toContain("This port is for gdb");
    expect(client.ended).toBe(true);
    expect(lab.running).toBe(true);
    client.raw("$?#3f");
    expect(client.packets).toEqual([]);
  });

  test("the second is told that there is a first, and the first goes on", () => {
    const first = attach(labOf(LOOP));
    first.ask("?");
    const second = new Client(first.server, first.lab);
    expect(second.ask("qSupported")).toContain("another gdb is attached");
    expect(second.ended).toBe(true);
    expect(first.ask("qC")).toBe("QC1");
    second.peer.closed();
    expect(first.lab.debugger?.state).toBe("stopped");
    first.peer.closed();
    expect(new Client(first.server, first.lab).ask("qC")).toBe("QC1");
  });

  test("the description names every register, in the order of the numbers, and comes in pieces", () => {
    const client = attach(labOf(LOOP));
    let text = "";
    for (;;) {
      const part = client.ask(`qXfer:features:read:target.xml:${text.length.toString(16)},100`)!;
      text += part.slice(1);
      if (part[0] === "l") break;
    }
    expect(text).toBe(TARGET_XML);
    const names = [...text.matchAll(/<reg name="(\w+)" bitsize="(\d+)"/g)].map(([, name, bits]) => [
      name,
      Number(bits) / 8,
    ]);
    expect(names).toEqual(REGISTERS.map(({ name, size }) => [name, size]));
    expect(
      names
        .slice(0, 16)
        .map(([name]) => name)
        .join(" "),
    ).toBe("eax ecx edx ebx esp ebp esi edi eip eflags cs ss ds es fs gs");
    expect(client.ask("qXfer:features:read:other.xml:0,100")).toBe("E00");
    expect(client.ask("qXfer:memory-map:read::0,100")).toBe("");
  });
});

describe("registers and memory", () => {
  test("all, one, written, refused", () => {
    const client = attach(labOf(LOOP, "B"));
    const all = client.ask("g")!;
    expect(all).toHaveLength(REGISTERS.reduce((sum, { size }) => sum + size * 2, 0));
    expect(all.slice(8 * 8, 9 * 8)).toBe(le(CODE));
    expect(client.ask("P0=78563412")).toBe("OK");
    expect(client.ask("p0")).toBe("78563412");
    expect(client.lab.machine.cpu.regs[0]).toBe(0x12345678);
    expect(client.ask(`G${le(7)}${all.slice(8)}`)).toBe("OK");
    expect(client.ask("p0")).toBe(le(7));
    expect(client.lab.machine.log.map(({ input }) => input.kind)).toEqual(["register", "register"]);
    for (const wrong of [
      "p",
      "pff",
      "pxx",
      "P0",
      "P0=",
      "P0=1",
      "P=00",
      "P0=0102030405",
      "Pff=00000000",
      "G00",
    ]) {
      expect(client.ask(wrong), wrong).toBe("E16");
    }
    expect(client.ask("Pa=18000000")).toContain("E.cs selects a descriptor");
    const st0 = REGISTERS.findIndex(({ name }) => name === "st0").toString(16);
    expect(client.ask(`P${st0}=00000000000000c0ff3f`)).toBe("OK");
    expect(client.ask(`p${st0}`)).toBe("00000000000000c0ff3f");
  });

  test("memory is read as far as there is some, and written whole or not at all", () => {
    const client = attach(labOf(LOOP));
    expect(client.ask("m100000,4")).toBe("40a30010");
    expect(client.ask("x100000,4")).toBe("b\x40\xa3\x00\x10");
    expect(client.ask("m3ffffe,10")).toBe("0000");
    expect(client.ask("m400000,1")).toBe("E0e");
    expect(client.ask("mffffffff,4")).toBe("E0e");
    expect(client.ask("m0,ffffffff")).toHaveLength(PACKET_SIZE - 2);
    expect(client.ask("M3ffffe,4:01020304")).toBe("E0e");
    expect(client.ask("m3ffffe,2")).toBe("0000");
    expect(client.ask("M3ffffe,2:0102")).toBe("OK");
    expect(client.ask("X101000,4:$#}*")).toBe("OK");
    expect(client.ask("m101000,4")).toBe("24237d2a");
    expect(client.ask("X101000,0:")).toBe("OK");
    for (const wrong of [
      "m",
      "m1",
      "mx,1",
      "m1,x",
      "M100000,2:01",
      "M100000,1:0",
      "M100000,1",
      "X100000,3:ab",
    ]) {
      expect(client.ask(wrong), wrong).toBe("E16");
    }
    expect(client.ask("Qqemu.PhyMemMode:1")).toBe("OK");
    expect(client.ask("qqemu.PhyMemMode")).toBe("1");
    expect(client.ask("m100000,1")).toBe("40");
    expect(client.ask("mfffffffff,1")).toBe("E0e");
  });

  test("what is stored over code is what runs next", () => {
    const client = attach(labOf(LOOP));
    client.ask("s");
    expect(client.ask("M100000,1:48")).toBe("OK"); // dec eax
    for (let i = 0; i < 4; i++) client.ask("s");
    expect(client.ask("p0")).toBe(le(0));
  });
});

describe("going", () => {
  test("steps, with an address and without", () => {
    const client = attach(labOf(LOOP));
    expect(client.ask("s")).toMatch(/^T05thread:1;08:01001000;/);
    expect(client.ask("vCont;s:1")).toMatch(/^T05thread:1;08:06001000;/);
    expect(client.ask("vCont;s:p1.1")).toBe("E16");
    expect(client.ask("S05;100000")).toMatch(/08:01001000;/);
    expect(client.ask("s100000")).toMatch(/08:01001000;/);
    expect(client.ask("sxyz")).toBe("E16");
    expect(client.ask("vCont?")).toBe("vCont;c;C;s;S");
    expect(client.lab.machine.time).toBe(4);
    expect(client.lab.debugger?.state).toBe("stopped");
  });

  test("continue, and the interrupt byte", () => {
    const client = attach(labOf(LOOP));
    expect(client.ask("vCont;c")).toBeUndefined();
    expect(client.lab.debugger?.state).toBe("running");
    client.run(3);
    expect(client.packets).toEqual([]);
    client.raw("\x03");
    expect(client.packets).toHaveLength(1);
    expect(client.packets[0]).toMatch(/^T02/);
    client.raw("\x03");
    expect(client.packets).toHaveLength(1);
    expect(client.lab.machine.time).toBe(3000);
  });

  test("breakpoints of both kinds stop with their word, or without where gdb has none", () => {
    const client = attach(labOf(LOOP));
    expect(client.ask("Z0,100006,1")).toBe("OK");
    client.ask("c");
    client.run();
    expect(client.packets.at(-1)).toMatch(/^T05thread:1;08:/);
    client.ask("qSupported:multiprocess+;swbreak+;hwbreak+");
    client.ask("c");
    client.run();
    expect(client.packets.at(-1)).toMatch(/^T05thread:1;swbreak:;08:06001000;/);
    expect(client.ask("Z1,100006,1")).toBe("OK");
    expect(client.ask("z0,100006,1")).toBe("OK");
    client.ask("c");
    client.run();
    expect(client.packets.at(-1)).toMatch(/^T05thread:1;hwbreak:;08:06001000;/);
    expect(client.lab.machine.time).toBe(2 + 4 + 4);
    expect(client.ask("z1,100006,1")).toBe("OK");
    client.ask("c");
    client.run(2);
    expect(client.lab.running).toBe(true);
    expect(client.ask("m100006,2")).toBe("8b1d");
  });

  test.each(["none", "B", "nested"])(
    "watchpoints stop behind the access, and only for their kind, under %s",
    (policy) => {
      const client = attach(labOf(LOOP, policy));
      expect(client.ask("Z2,101002,1")).toBe("OK");
      client.ask("c");
      client.run();
      expect(client.packets.at(-1)).toMatch(/^T05thread:1;watch:101002;08:06001000;/);
      client.ask("z2,101002,1");
      client.ask("Z3,101003,1000");
      client.ask("c");
      client.run();
      expect(client.packets.at(-1)).toMatch(/^T05thread:1;rwatch:101003;08:0c001000;/);
      client.ask("Z4,101000,4");
      client.ask("c");
      client.run();
      expect(client.packets.at(-1)).toMatch(/^T05thread:1;awatch:101000;08:06001000;/);
      expect(client.ask("s")).toMatch(/^T05thread:1;rwatch:101003;08:0c001000;/);
      expect(client.lab.machine.time).toBe(2 + 1 + 3 + 1);
      client.ask("z4,101000,4");
      client.ask("z3,101003,1000");
      client.ask("c");
      client.run(2);
      expect(client.lab.machine.cpu.watchpoints).toBeNull();
      expect(client.lab.running).toBe(true);
    },
  );

  test("points that make no sense, and too many of them", () => {
    const client = attach(labOf(LOOP));
    expect(client.ask("Z5,100000,1")).toBe("");
    expect(client.ask("Z0,zz,1")).toBe("E16");
    expect(client.ask("Z0,100000000,1")).toBe("E16");
    expect(client.ask("Z")).toBe("");
    expect(client.ask("Z2,ffffffff,2")).toContain("E.a watchpoint is");
    expect(client.ask("Z2,0,0")).toContain("E.a watchpoint is");
    expect(client.ask("z2,5,1")).toBe("OK");
    expect(client.ask("Z0,100000,1;X1,0")).toBe("OK");
    for (let i = 1; i < POINTS_MOST; i++) client.ask(`Z0,${i.toString(16)},1`);
    expect(client.ask("Z0,200000,1")).toContain("E.there are 10000 breakpoints");
    expect(client.ask("D")).toBe("OK");
    expect(client.lab.machine.cpu.breakpoints).toEqual([]);
  });

  test("a halt is told in words where nobody gives input, and is waiting where somebody may", () => {
    const halted = attach(labOf(HLT));
    halted.ask("c");
    halted.run();
    expect(halted.packets.map((text) => text.slice(0, 3))).toEqual(["O51", "T05"]);
    const waits = attach(labOf([0xfb, 0xf4]), true); // sti; hlt
    waits.ask("c");
    waits.run();
    expect(waits.packets).toEqual([]);
    expect(waits.lab.debugger?.state).toBe("running");
    waits.raw("\x03");
    expect(waits.packets.at(-1)).toMatch(/^T/);
    // Held: what comes in does not wake it.
    waits.lab.command({ name: "serialInput", bytes: Uint8Array.of(65) });
    expect(waits.lab.running).toBe(false);
  });
});

describe("the window beside it", () => {
  test("what moves the machine is gdb's, with a sentence; pausing is anybody's", () => {
    const client = attach(labOf(LOOP));
    client.ask("?");
    const { lab } = client;
    for (const name of ["run", "reset", "scenarioReset"] as const) {
      expect(() => lab.command({ name }), name).toThrow("gdb is attached on port 1234 and moves the machine");
    }
    client.ask("c");
    lab.slice(100);
    lab.command({ name: "pause" });
    client.server.look();
    expect(client.packets.at(-1)).toMatch(/^T02/);
    client.peer.closed();
    lab.command({ name: "step", count: 1 });
    expect(lab.machine.time).toBe(101);
  });

  test("a breakpoint of the window's own stops gdb's run, and survives gdb", () => {
    const client = attach(labOf(LOOP));
    const { lab } = client;
    lab.command({ name: "breakpoint", address: CODE + 6, on: true });
    client.ask("Z0,100001,1");
    client.ask("c");
    client.run();
    expect(lab.context.breakpoints).toEqual(new Set([CODE + 6]));
    expect(lab.machine.cpu.eip).toBe(CODE + 1);
    client.ask("c");
    client.run();
    expect(lab.machine.cpu.eip).toBe(CODE + 6);
    client.ask("k");
    expect(client.ended).toBe(true);
    expect(lab.machine.cpu.breakpoints).toEqual([CODE + 6]);
    expect(lab.debugger?.state).toBe("listening");
    expect(lab.running).toBe(false);
  });

  test("detached it goes on; attached again it stands; the door shut, nothing is left", () => {
    const client = attach(labOf(LOOP));
    const { lab } = client;
    client.ask("Z2,101000,4");
    expect(client.ask("D")).toBe("OK");
    expect(lab.running).toBe(true);
    expect(client.ask("?")).toBe("W00");
    expect(client.ask("vAttach;2")).toContain("E.");
    expect(client.ask("vAttach;1")).toMatch(/^T05/);
    expect(lab.running).toBe(false);
    expect(client.ask("vKill;1")).toBe("OK");
    expect(client.ask("vRun;")).toMatch(/^T05/);
    expect(lab.machine.time).toBe(0);
    client.server.close();
    expect(lab.debugger).toBeNull();
    lab.command({ name: "run" });
    expect(lab.running).toBe(true);
  });

  test("a snapshot and the log of what gdb wrote replay to the same bytes", async () => {
    const { restoreSnapshot, takeSnapshot } = await import("../../../core/machine/snapshot.ts");
    const { Trace } = await import("../../../core/trace/trace.ts");
    const client = attach(labOf(LOOP, "B"));
    const { machine } = client.lab;
    const snapshot = takeSnapshot(machine);
    client.ask("Z2,101000,4");
    client.ask("c");
    client.run();
    client.ask("P0=00010000");
    client.ask("M101000,4:efbeadde");
    client.ask("s");
    client.ask("Pb=ff000000"); // refused: nothing is logged
    client.ask("c");
    client.run();
    expect(machine.log).toHaveLength(2);
    const again = restoreSnapshot(snapshot, new Trace(1 << 8));
    for (const { at, input } of machine.log) {
      again.advanceTo(at);
      again.input(input);
    }
    again.advanceTo(machine.stamp);
    expect(again.cpu.save()).toEqual(machine.cpu.save());
    const page = WORD >>> 12;
    const bytes = (m: typeof machine) =>
      m.memory.bytes.slice(m.slots.hfnOf(page) * 4096, m.slots.hfnOf(page + 1) * 4096);
    expect(bytes(again)).toEqual(bytes(machine));
  });
});
