/** Bad scenario files: the line, the column, what is wrong there and what is allowed; and good ones with comments. */
import { describe, expect, it } from "vitest";
import { mistakeText, parseScenario, ScenarioError, ScenarioRunner } from "../../../core/scenario/index.ts";

const GOOD = `{
  // a comment
  "scenario": 1,
  "title": "T",
  "steps": [{ "do": "note", "predict": [{ "what": "pages", "is": 4 }] }], // and a comma at the end
}`;

const mistakes = (text: string): string[] => {
  const parsed = parseScenario(text);
  return parsed.ok ? [] : parsed.mistakes.map(mistakeText);
};
const step = (text: string): string => `{ "scenario": 1, "title": "T",\n "steps": [\n${text}\n] }`;

describe("files", () => {
  it("may have comments and trailing commas", () => {
    expect(mistakes(GOOD)).toEqual([]);
  });

  const bad: readonly [string, string, RegExp][] = [
    ["nothing", "", /^line 1, column 1: the file is empty/],
    ["broken JSON", '{\n  "scenario": 1\n  "title": "T" }', /^line 3, column 3: a "," is expected here/],
    ["no JSON at all", "hello", /^line 1, column 1: this is no value/],
    ["an unfinished comment", '{ "scenario": 1 /* x', /comment does not end/],
    ["a key twice", '{ "scenario": 1,\n "scenario": 1 }', /^line 2, column 2: "scenario" is given twice/],
    [
      "another version",
      '{ "scenario": 2, "title": "T", "steps": [{ "do": "note" }] }',
      /column 15: scenario is 1/,
    ],
    ["no steps", '{ "scenario": 1, "title": "T", "steps": [] }', /at least one step/],
    ["no title", '{ "scenario": 1, "steps": [{ "do": "note" }] }', /a scenario needs "title"/],
    [
      "an unknown key",
      step('{ "do": "note", "txt": "x" }'),
      /^line 3, column 17: the step has no "txt"; it takes do, title, text, source, predict/,
    ],
    [
      "an unknown step",
      step('{ "do": "jump" }'),
      /^line 3, column 9: "do" of a step is one of note, run, access, .*, not "jump"/,
    ],
    ["a step without do", step('{ "title": "x" }'), /^line 3, column 1: a step needs "do"/],
    [
      "an unknown prediction",
      step('{ "do": "note", "predict": [{ "what": "luck" }] }'),
      /"what" of a prediction is one of fault, value, entry/,
    ],
    [
      "an unknown counter",
      step('{ "do": "note", "predict": [{ "what": "counter", "name": "pf", "by": 1 }] }'),
      /column 58: a counter is one of pf_fixed, pf_guest/,
    ],
    ["an unknown policy", step('{ "do": "policy", "policy": "Z" }'), /a policy is one of none, /],
    ["a bad width", step('{ "do": "access", "gva": 0, "width": 3 }'), /width is 1, 2, 4 or 8 bytes/],
    [
      "a bad address",
      step('{ "do": "access", "gva": "0x" }'),
      /gva is an address: a whole number, "0x1000", or a symbol/,
    ],
    ["a run to nowhere", step('{ "do": "run", "until": { "moon": 1 } }'), /until is one of/],
  ];
  for (const [what, text, expected] of bad) {
    it(`with ${what}: says where and what is allowed`, () => {
      expect(mistakes(text).join("\n")).toMatch(expected);
    });
  }
});

describe("what only the machine can tell", () => {
  const refusal = (text: string): string => {
    const parsed = parseScenario(text);
    if (!parsed.ok) throw new Error(parsed.mistakes.map(mistakeText).join());
    try {
      new ScenarioRunner(parsed.scenario);
      return "";
    } catch (error) {
      if (error instanceof ScenarioError) return error.message;
      throw error;
    }
  };
  const machine = (text: string): string =>
    `{ "scenario": 1, "title": "T",\n "machine": ${text},\n "steps": [{ "do": "note" }] }`;

  const bad: readonly [string, string, RegExp][] = [
    [
      "an unknown symbol",
      step('{ "do": "access", "gva": "first_write" }'),
      /^line 3, column 26: there is no symbol "first_write"/,
    ],
    [
      "an unknown field",
      step('{ "do": "note", "predict": [{ "what": "event", "name": "zap_page", "where": { "who": 1 } }] }'),
      /event zap_page has no field who; it has hpa, gfn, role, why, rootCount/,
    ],
    [
      "an unknown word",
      step(
        '{ "do": "note", "predict": [{ "what": "event", "name": "zap_page", "where": { "why": "luck" } }] }',
      ),
      /why is one of misaligned, flooded/,
    ],
    [
      "a snapshot never taken",
      step('{ "do": "compare", "with": "x" }'),
      /there is no snapshot "x" before this step/,
    ],
    [
      "an unknown guest",
      machine('{ "image": { "guest": "x" } }'),
      /^line 2, column 24: there is no guest "x"; there are quadrant/,
    ],
    ["memory too small", machine('{ "memory": 4096 }'), /memory is a multiple of 4096 from 4 MiB/],
    [
      "contents outside",
      machine('{ "contents": [{ "at": "0x1000000", "text": "x" }] }'),
      /there is no memory at 0x1000000/,
    ],
    [
      "another file, in a window",
      machine('{ "image": { "file": "x.elf" } }'),
      /put the image's bytes into it/,
    ],
    [
      "a mapping twice",
      machine(
        '{ "paging": { "mode": "2-level", "root": 4096, "map": [{ "gva": 0, "gpa": 0 }, { "gva": 0, "gpa": 4096 }] } }',
      ),
      /the entry of 0x0 is given twice/,
    ],
    [
      "a 2M page without PAE",
      machine(
        '{ "paging": { "mode": "2-level", "root": 4096, "map": [{ "gva": 0, "gpa": 0, "size": "2M" }] } }',
      ),
      /has 4M, not 2M/,
    ],
    [
      "an impossible start",
      machine(
        '{ "paging": { "mode": "PAE", "root": "0x1000", "entries": [{ "gpa": "0x1000", "entry": "0x2007" }] } }',
      ),
      /CR0 = 0x80010011 raises #GP/,
    ],
  ];
  for (const [what, text, expected] of bad) {
    it(`${what} is refused with its place`, () => {
      expect(refusal(text)).toMatch(expected);
    });
  }
});
