/**
 * The house's floors, checked over the import statements of core, electron and renderer: a room imports only from
 * floors below it, the renderer only the lab's protocol, and packages only where they belong.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, extname, join, posix, relative } from "node:path";
import ts from "typescript";
import { inRoot, ROOT } from "./repository.mjs";

/** Rooms of core from the ground up; rooms on one floor do not import each other. */
export const FLOORS = [
  ["trace"],
  ["memory"],
  ["x86"],
  ["kvm", "devices"],
  ["guests", "images"],
  ["machine"],
  ["scenario", "experiment"],
  ["lab"],
  ["host", "gdb"],
];
const floorOf = (room) => FLOORS.findIndex((rooms) => rooms.includes(room));

const PROTOCOL = "core/lab/protocol/index.ts";
/** Packages each part may import; a name covers what lies below it. */
const PACKAGES = {
  core: ["valibot", "jsonc-parser"],
  electron: ["electron", "echarts", "valibot", "node:"],
  renderer: ["svelte", "dockview", "echarts", "@fontsource"],
};
const SOURCE = new Set([".ts", ".mts", ".js", ".mjs", ".svelte"]);

/** @typedef {{ file: string, line: number, target: string, typeOnly: boolean }} Import */

/** @returns {{ files: number, problems: string[] }} */
export function checkImports() {
  const files = ["core", "electron", "renderer"].flatMap((part) => sources(part));
  const problems = [];
  for (const file of files)
    for (const one of importsOf(file, readFileSync(inRoot(file), "utf8"))) {
      const problem = judge(one);
      if (problem !== null) problems.push(`${one.file}:${one.line}: ${problem}`);
    }
  return { files: files.length, problems };
}

function sources(folder) {
  let entries;
  try {
    entries = readdirSync(inRoot(folder), { recursive: true, withFileTypes: true });
  } catch {
    return [];
  }
  return entries
    .filter((entry) => entry.isFile() && SOURCE.has(extname(entry.name)) && !/\.config\.ts$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .sort();
}

/** Every import, re-export, dynamic import, import type and worker address of a file. @returns {Import[]} */
export function importsOf(file, text) {
  const found = [];
  for (const { code, offset } of scripts(file, text)) {
    const source = ts.createSourceFile("file.ts", code, ts.ScriptTarget.Latest, true);
    const add = (node, target, typeOnly) => {
      const at = offset + node.getStart(source);
      found.push({ file, line: text.slice(0, at).split("\n").length, target, typeOnly });
    };
    const visit = (node) => {
      if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier))
        add(node, node.moduleSpecifier.text, isTypeOnly(node.importClause));
      else if (
        ts.isExportDeclaration(node) &&
        node.moduleSpecifier &&
        ts.isStringLiteral(node.moduleSpecifier)
      )
        add(node, node.moduleSpecifier.text, node.isTypeOnly);
      else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
        add(node, node.argument.literal.text, true);
      else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
        add(
          node,
          ts.isStringLiteral(node.arguments[0]) ? node.arguments[0].text : "(a computed name)",
          false,
        );
      else if (
        ts.isNewExpression(node) &&
        node.expression.getText(source) === "URL" &&
        node.arguments?.[1]?.getText(source) === "import.meta.url" &&
        ts.isStringLiteral(node.arguments[0])
      )
        add(node, node.arguments[0].text, false);
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return found;
}

function isTypeOnly(clause) {
  if (clause === undefined) return false;
  if (clause.isTypeOnly) return true;
  const named = clause.namedBindings;
  return (
    clause.name === undefined &&
    named !== undefined &&
    ts.isNamedImports(named) &&
    named.elements.length > 0 &&
    named.elements.every((element) => element.isTypeOnly)
  );
}

function scripts(file, text) {
  if (!file.endsWith(".svelte")) return [{ code: text, offset: 0 }];
  return [...text.matchAll(/(<script[^>]*>)([\s\S]*?)<\/script>/g)].map((match) => ({
    code: match[2],
    offset: match.index + match[1].length,
  }));
}

/** What is wrong with an import, or null. @param {Import} one */
export function judge({ file, target, typeOnly }) {
  const part = file.split("/")[0];
  if (!target.startsWith(".")) {
    const known = PACKAGES[part].some(
      (name) =>
        target === name ||
        target.startsWith(name.endsWith(":") ? name : `${name}/`) ||
        (name.startsWith("@") && target.startsWith(name)),
    );
    return known ? null : `${part}/ does not import the package ${target}`;
  }
  if (extname(target) === "") return `${target} needs its extension`;
  const to = posix.normalize(posix.join(dirname(file), target.split("?")[0]));
  const toPart = to.split("/")[0];
  if (part === "core") {
    if (toPart !== "core") return `core does not import ${to}`;
    const [from, into] = [file.split("/")[1], to.split("/")[1]];
    if (from === into) return null;
    const [above, below] = [floorOf(from), floorOf(into)];
    if (above < 0) return `core/${from} is no room of the house`;
    if (below < 0) return `core/${into} is no room of the house`;
    return below < above
      ? null
      : `core/${from} stands on floor ${above} and does not import core/${into} of floor ${below}`;
  }
  if (part === "electron") {
    if (toPart === "electron") return preloadProblem(file, to, typeOnly);
    if (toPart === "core" || to === "package.json") return null;
    if (to === "renderer/bridge.ts" && typeOnly) return null;
    if (to === "package.json" && file.startsWith("electron/cli/")) return null; // the version, for --version
    return `electron does not import ${to} (renderer/bridge.ts as a type is all)`;
  }
  if (toPart === "renderer") return null;
  if (to === PROTOCOL) return null;
  if (file.startsWith("renderer/browser/") && (to.startsWith("core/lab/") || to.startsWith("core/host/")))
    return null;
  return `the renderer imports ${PROTOCOL} and nothing else of the house, not ${to}`;
}

/** The preload script is sandboxed: of main it takes the names of the channels, and types. */
function preloadProblem(file, to, typeOnly) {
  if (!file.startsWith("electron/preload/") || typeOnly) return null;
  return to.startsWith("electron/preload/") || to === "electron/main/channels.ts"
    ? null
    : `the preload script does not import ${to}`;
}
