/** The Experiments pane's figures: cells of a result, and the costs that a person types. */
import { describe, expect, it } from "vitest";
import { COST_ROWS, COST_TABLES } from "../../../core/experiment/cost.ts";
import { parseCostTable } from "../../../core/lab/protocol/index.ts";
import { figure, ownTable, readCost, textsOf } from "../../../renderer/panes/experiments/figures.ts";

describe("cells", () => {
  it.each([
    [null, ""],
    [undefined, ""],
    ["the remark", "the remark"],
    [0, "0"],
    [0.031, "0.031"],
    [2.5, "2.5"],
    [12159294, "12\u202f159\u202f294"],
    [8047.016, "8\u202f047.016"],
    [-82, "\u221282"],
    [-0.0001, "0"],
    [0.9996, "1"],
  ])("%s is shown as %s", (value, text) => {
    expect(figure(value)).toBe(text);
  });
});

describe("costs that a person types", () => {
  it("are numbers; nothing means not known; groups are welcome", () => {
    expect(readCost("1931")).toBe(1931);
    expect(readCost(" 1 931.5 ")).toBe(1931.5);
    expect(readCost("  ")).toBeNull();
  });

  it.each(["-1", "many", "1e3", "0x10", "1,5", "."])("%s is refused in words", (text) => {
    expect(readCost(text)).toMatch(/number of cycles/);
  });

  it("a cost beyond all measure is refused, as the lab would", () => {
    const [table] = COST_TABLES;
    expect(readCost("10000000000")).toBe(1e10);
    expect(readCost("10000000001")).toMatch(/at most/);
    const beyond = { ...table!, cycles: { ...table!.cycles, vm_exit: 10000000001 } };
    expect(parseCostTable(beyond)).toMatchObject({ ok: false });
  });

  it("each built-in table can be copied, and the copy is one that the lab takes", () => {
    for (const table of COST_TABLES) {
      const own = ownTable(textsOf(table, COST_ROWS), COST_ROWS);
      expect(own?.cycles).toEqual(table.cycles);
      expect(parseCostTable(own)).toMatchObject({ ok: true });
    }
  });

  it("one that cannot be read makes no table", () => {
    const texts = { ...textsOf(COST_TABLES[0]!, COST_ROWS), vm_exit: "many" };
    expect(ownTable(texts, COST_ROWS)).toBeNull();
  });
});
