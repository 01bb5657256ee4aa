/**
 * The Markdown of scenario texts, as a tree that components draw: paragraphs, headings, lists, code, emphasis, links
 * to https. There is no raw HTML: what looks like it is text. docs/scenarios.md tells what is understood.
 */

export type Inline =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "code"; readonly text: string }
  | { readonly kind: "strong"; readonly parts: readonly Inline[] }
  | { readonly kind: "emphasis"; readonly parts: readonly Inline[] }
  | { readonly kind: "link"; readonly url: string; readonly parts: readonly Inline[] };

export type Block =
  | { readonly kind: "paragraph"; readonly parts: readonly Inline[] }
  | { readonly kind: "heading"; readonly parts: readonly Inline[] }
  | { readonly kind: "list"; readonly ordered: boolean; readonly items: readonly (readonly Inline[])[] }
  | { readonly kind: "code"; readonly text: string };

const BULLET = /^\s*[-*] +(.*)$/;
const NUMBERED = /^\s*\d+[.)] +(.*)$/;
const HEADING = /^#{1,4} +(.*)$/;

export function parseMarkdown(source: string): Block[] {
  const blocks: Block[] = [];
  const lines = source.replaceAll("\r\n", "\n").split("\n");
  let at = 0;
  while (at < lines.length) {
    const line = lines[at]!;
    if (line.trim() === "") {
      at++;
    } else if (line.startsWith("```")) {
      const end = lines.findIndex((other, i) => i > at && other.startsWith("```"));
      const stop = end < 0 ? lines.length : end;
      blocks.push({ kind: "code", text: lines.slice(at + 1, stop).join("\n") });
      at = stop + 1;
    } else if (HEADING.test(line)) {
      blocks.push({ kind: "heading", parts: parseInline(HEADING.exec(line)![1]!) });
      at++;
    } else if (BULLET.test(line) || NUMBERED.test(line)) {
      const ordered = NUMBERED.test(line);
      const mark = ordered ? NUMBERED : BULLET;
      const items: string[] = [];
      for (; at < lines.length && lines[at]!.trim() !== ""; at++) {
        const found = mark.exec(lines[at]!);
        if (found !== null) items.push(found[1]!);
        else items[items.length - 1] += ` ${lines[at]!.trim()}`;
      }
      blocks.push({ kind: "list", ordered, items: items.map(parseInline) });
    } else {
      const words: string[] = [];
      for (; at < lines.length; at++) {
        const next = lines[at]!;
        if (next.trim() === "" || next.startsWith("```") || HEADING.test(next) || BULLET.test(next)) break;
        words.push(next.trim());
      }
      blocks.push({ kind: "paragraph", parts: parseInline(words.join(" ")) });
    }
  }
  return blocks;
}

/** Code, links, strong and emphasis; the first that begins wins, unfinished marks are text. */
export function parseInline(text: string): Inline[] {
  const parts: Inline[] = [];
  let plain = "";
  const flush = () => {
    if (plain !== "") parts.push({ kind: "text", text: plain });
    plain = "";
  };
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at);
    const found = marked(rest);
    if (found === null) {
      const escaped = /^\\[\\`*_[\]()#-]/.test(rest);
      plain += escaped ? rest[1]! : rest[0]!;
      at += escaped ? 2 : 1;
      continue;
    }
    flush();
    parts.push(found.part);
    at += found.length;
  }
  flush();
  return parts;
}

function marked(rest: string): { part: Inline; length: number } | null {
  const code = /^`([^`]+)`/.exec(rest);
  if (code !== null) return { part: { kind: "code", text: code[1]! }, length: code[0].length };
  const strong = /^\*\*(?=\S)(.+?)\*\*/.exec(rest);
  if (strong !== null)
    return { part: { kind: "strong", parts: parseInline(strong[1]!) }, length: strong[0].length };
  const emphasis = /^([*_])(?=\S)([^*_]+?)\1(?![A-Za-z0-9])/.exec(rest);
  if (emphasis !== null)
    return { part: { kind: "emphasis", parts: parseInline(emphasis[2]!) }, length: emphasis[0].length };
  const link = /^\[([^\]]+)\]\((https:\/\/[^\s()"<>\\]+)\)/.exec(rest);
  if (link !== null)
    return {
      part: { kind: "link", url: link[2]!, parts: parseInline(link[1]!) },
      length: link[0].length,
    };
  return null;
}
