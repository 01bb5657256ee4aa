/** A fault of the guest's own, in words: the edit and the walk say the same of it. */
import { describe, expect, it } from "vitest";
import { Lab } from "../../../core/lab/index.ts";
import type { EditResult, WalkView } from "../../../core/lab/protocol/index.ts";

function walk(lab: Lab, gva: number, access: "read" | "write" | "fetch", user: boolean): WalkView {
  lab.openView(1, { kind: "walk", gva, access, user });
  return lab.collectViews(() => {})[0]!.data as WalkView;
}
const edit = (lab: Lab, as: "guest0" | "guest3" | "emulator", address: number): EditResult =>
  lab.command({ name: "edit", space: "gva", as, address, size: 4, low: 1, high: 0 }) as EditResult;

/** The quadrant guest with PTE 73 (gpa 0x1234124, maps 0x08049000, which no TLB entry does yet) as given. */
function withPte73(low: number, policy: string): Lab {
  const lab = new Lab({ guest: "quadrant", config: { policy } });
  lab.command({ name: "edit", space: "gpa", as: "emulator", address: 0x123_4124, size: 4, low, high: 0 });
  return lab;
}

describe.each(["none", "B"])("a refused edit (%s)", (policy) => {
  it.each([
    [0x567_0063, "guest3", "U is 0, so a user write is refused (error 0x7: present, write, user)"],
    [
      0x567_0061,
      "guest0",
      "W is 0, so a supervisor write is refused (error 0x3: present, write, supervisor)",
    ],
    [
      0x567_0066,
      "guest0",
      "P is 0, so a supervisor write is refused (error 0x2: not present, write, supervisor)",
    ],
    [0x567_0066, "guest3", "P is 0, so a user write is refused (error 0x6: not present, write, user)"],
  ] as const)("of a PTE %i as %s names the entry, the bit and the error", (low, as, words) => {
    const lab = withPte73(low, policy);
    const answer = edit(lab, as, 0x0804_9000);
    const text = `PTE 73 at gpa 0x1234124: ${words}`;
    expect(answer).toMatchObject({ ok: false, fault: { gva: 0x0804_9000, text } });
    expect(walk(lab, 0x0804_9000, "write", as === "guest3").guest.text).toBe(text);
  });

  it("names the directory's entry when that decides", () => {
    const lab = new Lab({ guest: "quadrant", config: { policy } });
    expect(edit(lab, "emulator", 0x0bad_0000)).toMatchObject({
      ok: false,
      fault: {
        text: "PDE 46 at gpa 0x10b8: P is 0, so a supervisor read is refused (error 0x0: not present, read, supervisor)",
      },
    });
  });
});
