/**
 * Every policy but A0 and D under svm, where TLB entries outlive exits: each access is one that a TLB may give (SDM vol. 3,
 * 4.10, as history.ts has it), and every invariant holds.
 */
import { EXACT, each, UNSYNC } from "./kinds.ts";
import { playWithHistory } from "./shadow.ts";

each([...EXACT, ...UNSYNC], "svm: what a TLB may give", (mode, policy, c) => {
  playWithHistory(mode, policy, c, { tlb: "svm" });
});
