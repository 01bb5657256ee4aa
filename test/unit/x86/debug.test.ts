/**
 * Debug exceptions, NMI and the flags around them, as the manual states them (SDM vol. 3, 6.7, 6.8, 17.2, 17.3): DR6's
 * report, the pushed EIP and RF, priorities, and what a shadow holds back.
 */
import { describe, expect, it } from "vitest";
import { DR6_BS, DR6_RESET } from "../../../core/x86/debug.ts";
import {
  EXIT_PF,
  RUN_BUDGET,
  RUN_EXIT,
  RUN_HALTED,
  RUN_RETIRED,
  STEP_NORMAL,
} from "../../../core/x86/door.ts";
import { FLAG_RF, FLAG_TF } from "../../../core/x86/flags.ts";
import { TestMachine } from "./test-machine.ts";

const CODE = 0x5000;
const LOG = 0x6000;

/**
 * Flat segments, gates for all vectors. Handlers log vector, EIP, EFLAGS and DR6 (16 bytes, at a pointer in LOG) and
 * return; #DB's clears DR6 behind its log.
 */
function machine(code: readonly number[], eflags = 2): TestMachine {
  const m = new TestMachine();
  [0, 0x00cf9b00, 0x00cf9300, 0x00cffb00, 0x00cff300].forEach((high, i) => {
    m.set32(0x1000 + i * 8, i === 0 ? 0 : 0xffff);
    m.set32(0x1004 + i * 8, high);
  });
  for (let v = 0; v < 32; v++) {
    const at = 0x3000 + v * 64;
    m.set32(0x2000 + v * 8, 0x80000 | at);
    m.set32(0x2004 + v * 8, 0x8e00);
    m.bytes(at, [
      ...[0x50, 0x57, 0x8b, 0x3d, 0x00, 0x60, 0, 0], // push eax; push edi; mov edi,[LOG]
      ...[0xb8, v, 0, 0, 0, 0xab], // mov eax,v; stosd
      ...[0x8b, 0x44, 0x24, 0x08, 0xab, 0x8b, 0x44, 0x24, 0x10, 0xab], // eip, eflags
      ...[0x0f, 0x21, 0xf0, 0xab, 0x31, 0xc0, 0x0f, 0x23, 0xf0], // mov eax,dr6; stosd; dr6 = 0
      ...[0x89, 0x3d, 0x00, 0x60, 0, 0, 0x5f, 0x58, 0xcf], // mov [LOG],edi; pop edi; pop eax; iret
    ]);
  }
  m.set32(LOG, LOG + 4);
  m.cpu.gdtBase = 0x1000;
  m.cpu.gdtLimit = 0x27;
  m.cpu.idtBase = 0x2000;
  m.cpu.idtLimit = 0x7ff;
  m.cpu.regs[4] = 0x8000;
  m.bytes(CODE, code);
  m.cpu.eip = CODE;
  m.cpu.eflags = eflags;
  return m;
}

interface Entry {
  vector: number;
  eip: number;
  rf: boolean;
  /** DR6 without the bits that are always set. */
  dr6: number;
}

function log(m: TestMachine): Entry[] {
  const entries: Entry[] = [];
  for (let at = LOG + 4; at < m.get32(LOG); at += 16) {
    entries.push({
      vector: m.get32(at),
      eip: m.get32(at + 4) - CODE,
      rf: (m.get32(at + 8) & FLAG_RF) !== 0,
      dr6: m.get32(at + 12) & ~DR6_RESET & 0xffff,
    });
  }
  return entries;
}

/** Runs to HLT in slices of 1 to 7 units: blocks and single steps must give the same. */
function finish(m: TestMachine): Entry[] {
  let answer = RUN_BUDGET;
  for (let i = 0; i < 2000 && answer === RUN_BUDGET; i++) answer = m.cpu.run(1 + (i % 7));
  expect(answer).toBe(RUN_HALTED);
  return log(m);
}

const db = (eip: number, dr6: number, rf = false): Entry => ({ vector: 1, eip, rf, dr6 });

describe("single step", () => {
  it("traps behind each instruction, and behind each iteration of REP with RF set", () => {
    // mov ecx,2; mov edi,0x7000; rep stosb; nop; popf (TF off); hlt
    const m = machine([0xb9, 2, 0, 0, 0, 0xbf, 0, 0x70, 0, 0, 0xf3, 0xaa, 0x90, 0x9d, 0xf4], 2 | FLAG_TF);
    m.set32(0x8000, 2);
    expect(finish(m)).toEqual([
      db(5, DR6_BS),
      db(10, DR6_BS),
      db(10, DR6_BS, true),
      db(12, DR6_BS),
      db(13, DR6_BS),
      db(14, DR6_BS),
    ]);
  });

  it("is not held back by STI, but by MOV SS", () => {
    // sti; nop; mov ss,ax; nop; cli; popf; hlt
    const m = machine([0xfb, 0x90, 0x8e, 0xd0, 0x90, 0xfa, 0x9d, 0xf4], 2 | FLAG_TF);
    m.cpu.regs[0] = 0x10;
    m.set32(0x8000, 2);
    expect(finish(m)).toEqual([1, 2, 5, 6, 7].map((eip) => db(eip, DR6_BS)));
  });

  it("is not held back by LSS", () => {
    // lss esp,[7000]; nop; popf; hlt
    const m = machine([0x0f, 0xb2, 0x25, 0x00, 0x70, 0, 0, 0x90, 0x9d, 0xf4], 2 | FLAG_TF);
    m.set32(0x7000, 0x8000);
    m.set32(0x7004, 0x10);
    m.set32(0x8000, 2);
    expect(finish(m)).toEqual([7, 8, 9].map((eip) => db(eip, DR6_BS)));
  });

  it("INT1 is a trap without a cause in DR6, at any level of its gate", () => {
    const m = machine([0xf1, 0xf4]);
    expect(finish(m)).toEqual([db(1, 0)]);
  });
});

describe("breakpoints", () => {
  it("on an instruction is a fault before it, held back by RF", () => {
    const m = machine([0x90, 0x40, 0x40, 0xf4]); // nop; inc eax; inc eax; hlt
    m.cpu.dr[0] = CODE + 1;
    m.cpu.dr[3] = CODE + 2;
    // mov dr7: local 0, global 3
    m.cpu.regs[0] = 0;
    m.cpu.regs[3] = 0x81;
    m.bytes(CODE - 3, [0x0f, 0x23, 0xfb]);
    m.cpu.eip = CODE - 3;
    // The handler's IRET would run into it again: it sets RF in the image.
    m.bytes(
      0x3000 + 64 + 28,
      [0x80, 0x4c, 0x24, 0x12, 0x01, 0x31, 0xc0, 0x0f, 0x23, 0xf0, 0x89, 0x3d, 0, 0x60, 0, 0],
    );
    m.bytes(0x3000 + 64 + 44, [0x5f, 0x58, 0xcf]);
    expect(finish(m)).toEqual([db(1, 1), db(2, 8)]);
    expect(m.cpu.regs[0]).toBe(2);
  });

  it("on data is a trap behind the access, whatever its size and alignment", () => {
    const code = [
      ...[0xa1, 0x00, 0x70, 0, 0], // mov eax,[7000]: read, not asked for by breakpoint 0
      ...[0xa3, 0x00, 0x70, 0, 0], // mov [7000],eax
      ...[0xa0, 0x05, 0x70, 0, 0], // mov al,[7005]: breakpoint 1 reads 7004-7007
      ...[0xa1, 0xfe, 0x6f, 0, 0], // mov eax,[6ffe]: 7000 and 7001, a read
      ...[0xa3, 0xfd, 0x6f, 0, 0], // mov [6ffd],eax: reaches 7000
      ...[0xa2, 0x08, 0x70, 0, 0], // mov [7008],al: beside it
      ...[0x01, 0x05, 0x03, 0x70, 0, 0], // add [7003],eax: both
      0xf4,
    ];
    const m = machine(code);
    m.cpu.dr[0] = 0x7000;
    m.cpu.dr[1] = 0x7004;
    m.cpu.regs[3] = 0x00fd_0005 | 0; // 0: write, 4 bytes (first two bits of R/W 01, LEN 11); 1: read and write, 4 bytes
    m.bytes(CODE - 3, [0x0f, 0x23, 0xfb]);
    m.cpu.eip = CODE - 3;
    expect(finish(m)).toEqual([db(10, 1), db(15, 2), db(25, 1), db(36, 3)]);
  });

  it("on data waits behind MOV SS, where a single step is lost", () => {
    // mov ss,[7000]; nop; hlt
    const m = machine([0x66, 0x8e, 0x15, 0x00, 0x70, 0, 0, 0x90, 0xf4]);
    m.set32(0x7000, 0x10);
    m.cpu.dr[2] = 0x7000;
    m.cpu.regs[3] = 0x0f00_0010; // 2: read and write, 4 bytes
    m.bytes(CODE - 3, [0x0f, 0x23, 0xfb]);
    m.cpu.eip = CODE - 3;
    expect(finish(m)).toEqual([db(8, 4)]);
  });

  it("on a port needs CR4.DE", () => {
    const m = machine([0xe6, 0x80, 0xe6, 0x81, 0xf4]); // out 80h,al; out 81h,al; hlt
    m.cpu.dr[1] = 0x81;
    m.cpu.cr4 = 8;
    m.cpu.regs[3] = 0x0020_0004;
    m.bytes(CODE - 3, [0x0f, 0x23, 0xfb]);
    m.cpu.eip = CODE - 3;
    expect(finish(m)).toEqual([db(4, 2)]);
    m.cpu.cr4 = 0;
    const off = machine([0xe6, 0x81, 0xf4]);
    off.cpu.dr[1] = 0x81;
    off.cpu.regs[3] = 0x0020_0004;
    off.bytes(CODE - 3, [0x0f, 0x23, 0xfb]);
    off.cpu.eip = CODE - 3;
    expect(finish(off)).toEqual([]);
  });

  it("DR4 and DR5 are DR6 and DR7 unless CR4.DE is set; GD makes any access a fault with RF", () => {
    const m = machine([0x0f, 0x21, 0xe8, 0x0f, 0x21, 0xe1, 0xf4]); // mov eax,dr5; mov ecx,dr4; hlt
    expect(finish(m)).toEqual([]);
    expect([m.cpu.regs[0], m.cpu.regs[1]! >>> 0]).toEqual([0x400, 0xffff_0ff0]);
    const de = machine([0x0f, 0x21, 0xe8, 0xf4]);
    de.cpu.cr4 = 8;
    // #UD's handler returns to it for ever: one unit after the other
    de.cpu.run(30);
    expect(log(de)[0]).toMatchObject({ vector: 6, eip: 0, rf: true });
    const gd = machine([0x0f, 0x23, 0xfb, 0x0f, 0x21, 0xf8, 0xf4]); // mov dr7,ebx; mov eax,dr7; hlt
    gd.cpu.regs[3] = 0x2000;
    // The handler may touch them: GD was cleared on the way. Behind it the instruction runs.
    expect(finish(gd)).toEqual([db(3, 0x2000, true)]);
    expect(gd.cpu.regs[0]).toBe(0x400);
  });
});

describe("NMI", () => {
  const nmi = (eip: number): Entry => ({ vector: 2, eip, rf: false, dr6: 0 });

  it("comes with interrupts off, wakes HLT, and is blocked until IRET", () => {
    const m = machine([0x90, 0x90, 0xf4, 0xf4]);
    m.cpu.raiseNmi();
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_RETIRED);
    m.cpu.raiseNmi(); // within the handler: waits
    m.cpu.raiseNmi(); // one is remembered, not two
    expect(finish(m)).toEqual([nmi(0), nmi(0)]);
    m.cpu.raiseNmi();
    expect(m.cpu.run(100)).toBe(RUN_HALTED);
    expect(log(m)).toHaveLength(3);
    expect(log(m)[2]).toEqual(nmi(3));
  });

  it("comes behind a debug trap and before an interrupt", () => {
    const m = machine([0x90, 0x9d, 0xf4], 0x302);
    m.set32(0x8000, 2);
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_RETIRED);
    m.cpu.raiseNmi();
    m.cpu.interruptLine = 20;
    m.cpu.acknowledged = () => {
      m.cpu.interruptLine = -1;
    };
    const entries = finish(m);
    // The trap's handler begins first; the NMI finds it at its first instruction, the interrupt waits for IF.
    expect(entries.map((e) => e.vector)).toEqual([2, 1, 20, 1]);
    expect(entries[0]!.eip).toBe(0x3000 + 64 - CODE);
  });

  it("stays when its delivery exits", () => {
    const m = machine([0x90, 0xf4]);
    m.identity();
    m.set32(0x201000 + 7 * 4, 0x7000); // the stack's page is not there
    m.cpu.intercepts = 1 << EXIT_PF;
    m.cpu.raiseNmi();
    expect(m.cpu.run(10)).toBe(RUN_EXIT);
    expect([m.cpu.exit.vectoringType, m.cpu.exit.vectoringVector]).toEqual([2, 2]);
    m.set32(0x201000 + 7 * 4, 0x7007);
    m.cpu.paging.invlpg(0x7000);
    expect(finish(m)).toEqual([nmi(0)]);
  });
});
