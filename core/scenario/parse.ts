/**
 * From text to a checked scenario. A bad file is answered with the line and column, what is wrong there and what is
 * allowed; nothing throws.
 */
import { findNodeAtLocation, getNodeValue, type Node, type ParseError, parseTree } from "jsonc-parser";
import * as v from "valibot";
import { ScenarioDocument } from "./document.ts";

/** A place in a document: keys and indices from its top. */
export type DocumentPath = readonly (string | number)[];

export interface Scenario {
  readonly document: ScenarioDocument;
  /** "line 12, column 5" of a value, for what turns out to be wrong later. */
  where(path: DocumentPath): string;
}

export interface Mistake {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export type Parsed =
  | { readonly ok: true; readonly scenario: Scenario }
  | { readonly ok: false; readonly mistakes: readonly Mistake[] };

/** jsonc-parser's error numbers in words. */
const SYNTAX: Readonly<Record<number, string>> = {
  1: "this is no value: text stands in double quotes, and true, false and null are the only words",
  2: "this is no number",
  3: "a key is expected here, in double quotes",
  4: "a value is expected here",
  5: 'a ":" is expected here',
  6: 'a "," is expected here',
  7: 'a "}" is expected here',
  8: 'a "]" is expected here',
  9: "nothing may follow behind the document's end",
  10: "this comment is not allowed here",
  11: "this comment does not end",
  12: "this text does not end: a double quote is missing",
  13: "this number does not end",
  14: "this \\u is not followed by four hexadecimal digits",
  15: 'there is no such escape; there are \\" \\\\ \\/ \\b \\f \\n \\r \\t \\u',
  16: "this character cannot stand here",
};
/** Beyond this a file is not a scenario. */
const LONGEST = 8 << 20;
const MOST_MISTAKES = 20;

/** Comments and a comma behind the last item are allowed. */
export function parseScenario(text: string): Parsed {
  if (text.length > LONGEST)
    return refuse(1, 1, `a scenario has at most ${LONGEST} characters; this has ${text.length}`);
  const lines = lineStarts(text);
  if (text.trim() === "")
    return refuse(1, 1, 'the file is empty: a scenario begins with { "scenario": 1, "title": …');
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true, disallowComments: false });
  if (errors.length > 0) {
    const mistakes = errors.slice(0, MOST_MISTAKES).map(({ error, offset }) => ({
      ...position(lines, offset),
      message: SYNTAX[error] ?? "this is not JSON",
    }));
    return { ok: false, mistakes };
  }
  if (tree === undefined)
    return refuse(1, 1, 'there is no value: a scenario is an object, { "scenario": 1, … }');
  const twice = repeatedKey(tree);
  if (twice !== null) {
    const { line, column } = position(lines, twice.offset);
    return refuse(line, column, `"${twice.value as string}" is given twice`);
  }
  const checked = v.safeParse(ScenarioDocument, getNodeValue(tree));
  if (!checked.success) {
    const mistakes = checked.issues.flatMap((issue) => mistakesOf(issue, tree, lines));
    return { ok: false, mistakes: mistakes.slice(0, MOST_MISTAKES) };
  }
  return {
    ok: true,
    scenario: {
      document: checked.output,
      where(path) {
        const { line, column } = position(lines, nodeAt(tree, path).offset);
        return `line ${line}, column ${column}`;
      },
    },
  };
}

/** A mistake as one line. */
export const mistakeText = ({ line, column, message }: Mistake): string =>
  `line ${line}, column ${column}: ${message}`;

const refuse = (line: number, column: number, message: string): Parsed => ({
  ok: false,
  mistakes: [{ line, column, message }],
});

type Issue = v.BaseIssue<unknown>;

function pathOf(issue: Issue): (string | number)[] {
  return (issue.path ?? []).map((item) => item.key as string | number);
}

function mistakesOf(issue: Issue, tree: Node, lines: readonly number[]): Mistake[] {
  const path = pathOf(issue);
  const deeper = deepest(issue);
  if (deeper !== null) {
    const at = nodeAt(tree, [...path, ...pathOf(deeper)], deeper.expected === "never");
    return [{ ...position(lines, at.offset), message: deeper.message }];
  }
  const at = nodeAt(tree, path, issue.expected === "never");
  return [{ ...position(lines, at.offset), message: issue.message }];
}

/** Of a union none of whose shapes fits: the trouble within the shape whose keys were meant, or null. */
function deepest(issue: Issue): Issue | null {
  const within = (issue.issues ?? []) as readonly Issue[];
  const wrongShape = (one: Issue) => one.expected === "never" || one.received === "undefined";
  const inner = within.filter((one) => (one.path?.length ?? 0) > 0 && !wrongShape(one));
  const best = inner.toSorted((a, b) => (b.path?.length ?? 0) - (a.path?.length ?? 0))[0];
  return best ?? null;
}

/** The node of a path, or of the nearest place above that there is. `key`: the key rather than its value. */
function nodeAt(tree: Node, path: DocumentPath, key = false): Node {
  for (let length = path.length; length > 0; length--) {
    const node = findNodeAtLocation(tree, path.slice(0, length));
    if (node === undefined) continue;
    return key && length === path.length ? (node.parent?.children?.[0] ?? node) : node;
  }
  return tree;
}

/** The second node of a key that an object has twice, or null. */
function repeatedKey(node: Node): Node | null {
  const seen = new Set<unknown>();
  for (const child of node.children ?? []) {
    const key = child.type === "property" ? child.children?.[0] : undefined;
    if (key !== undefined && seen.has(key.value)) return key;
    if (key !== undefined) seen.add(key.value);
    const found = repeatedKey(child);
    if (found !== null) return found;
  }
  return null;
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

function position(starts: readonly number[], offset: number): { line: number; column: number } {
  let line = starts.findLastIndex((start) => start <= offset);
  line = Math.max(0, line);
  return { line: line + 1, column: offset - starts[line]! + 1 };
}
