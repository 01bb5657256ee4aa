/** The Markdown of scenarios: what is understood, and that nothing in it becomes HTML or another kind of link. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import {
  type Block,
  type Inline,
  parseInline,
  parseMarkdown,
} from "../../../renderer/panes/scenario/markdown.ts";

const textOf = (parts: readonly Inline[]): string =>
  parts.map((part) => ("text" in part ? part.text : textOf(part.parts))).join("");

it("knows paragraphs, headings, lists and code", () => {
  const kinds = parseMarkdown("# A\n\none\ntwo\n\n- x\n  y\n- z\n\n1. a\n2. b\n\n```\nmov *eax*\n```").map(
    (b) => b.kind,
  );
  expect(kinds).toEqual(["heading", "paragraph", "list", "list", "code"]);
  const [, paragraph, list] = parseMarkdown("# A\n\none\ntwo\n\n- x\n  y\n- z") as [Block, Block, Block];
  expect(paragraph).toEqual({ kind: "paragraph", parts: [{ kind: "text", text: "one two" }] });
  expect(list).toMatchObject({ ordered: false, items: [[{ text: "x y" }], [{ text: "z" }]] });
});

it("knows code, strong, emphasis, links and escapes", () => {
  expect(parseInline("a `*b*` **c *d*** [e](https://f.example/g) \\*h\\*")).toMatchObject([
    { text: "a " },
    { kind: "code", text: "*b*" },
    { text: " " },
    { kind: "strong" },
    { text: expect.any(String) },
    { kind: "link", url: "https://f.example/g" },
    { text: " *h*" },
  ]);
  expect(parseInline("page_table_gfn and 2 * 3 * 4")).toEqual([
    { kind: "text", text: "page_table_gfn and 2 * 3 * 4" },
  ]);
});

it("leaves HTML and other links text", () => {
  for (const text of ["<script>x</script>", "[a](javascript:x)", "[a](http://b)", "![a](x)", "<img src=x>"]) {
    expect(textOf(parseInline(text))).toBe(text);
    expect(parseInline(text).every(({ kind }) => kind === "text")).toBe(true);
  }
});

it("ends for any text, and links lead to https alone", () => {
  const links = (parts: readonly Inline[]): string[] =>
    parts.flatMap((part) => (part.kind === "link" ? [part.url] : "parts" in part ? links(part.parts) : []));
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(..."ab*_`[]()#-\n<>:/\\ 1.https"), maxLength: 120 }),
      (text) => {
        for (const block of parseMarkdown(text)) {
          const parts = block.kind === "list" ? block.items.flat() : block.kind === "code" ? [] : block.parts;
          for (const url of links(parts)) expect(url).toMatch(/^https:\/\//);
        }
      },
    ),
  );
});
