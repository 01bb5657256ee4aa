/** The documentation's tables against the code: policies, hazards, and where each section of the specification is. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { HAZARDS, POLICIES } from "../../../core/kvm/index.ts";

const doc = (name: string): string => readFileSync(`docs/${name}`, "utf8");
const cell = (text: string): string => text.replaceAll("|", "\\|");
const between = (text: string, mark: string): string =>
  text.split(`<!-- ${mark} -->\n`)[1]!.split(`<!-- /${mark} -->`)[0]!.trim();

/** What the document should say: where they differ, the failure shows it. */
function policyTable(): string {
  const rows = POLICIES.map(
    ({ id, title, era, commit, section, changes }) =>
      `| ${[id, title, era, commit, section, changes].map(cell).join(" | ")} |`,
  );
  return ["| id | title | era | commit | section | changes |", "|---|---|---|---|---|---|", ...rows].join(
    "\n",
  );
}

function hazardTable(): string {
  const rows = HAZARDS.map(
    ({ id, section, title, policies }) =>
      `| \`${id}\` | ${cell(title)} | ${section} | ${policies.length === 10 ? "all" : policies.join(", ")} |`,
  );
  return ["| hazard | what | section | policies |", "|---|---|---|---|", ...rows].join("\n");
}

describe("docs/policies.md", () => {
  it("has the table of core/kvm/policy/rows.ts", () => {
    expect(between(doc("policies.md"), "table")).toBe(policyTable());
  });
});

describe("docs/hazards.md", () => {
  it("has the table of core/kvm/policy/hazards.ts", () => {
    expect(between(doc("hazards.md"), "table")).toBe(hazardTable());
  });
  it("tells each hazard's story", () => {
    for (const { id } of HAZARDS) expect(doc("hazards.md"), id).toContain(`### ${id}\n`);
  });
});

describe("docs/specification-map.md", () => {
  const rows = doc("specification-map.md")
    .split("\n")
    .filter((line) => /^\| \d/.test(line))
    .map((line) => line.split(" | ").map((text) => text.replace(/^\| |\|$/g, "").trim()));

  it("has every numbered section", () => {
    const text = doc("kvm-shadow-mmu.md");
    const sections = [...text.matchAll(/^(?:## (\d+)\.|### (\d+\.\d+)) /gm)].map((m) => m[1] ?? m[2]!);
    const parents = new Set(sections.filter((s) => s.includes(".")).map((s) => s.split(".")[0]!));
    // A section that has numbered parts is in the table by its parts (0 and 6 to 13 as a whole where they have none).
    const wanted = sections.filter((s) => s.includes(".") || !parents.has(s));
    const listed = rows.map(([section]) => section!);
    expect(wanted.filter((s) => !listed.includes(s) && !s.startsWith("0."))).toEqual([]);
    expect(listed.filter((s) => !sections.includes(s))).toEqual([]);
  });

  it("names files that exist", () => {
    for (const [section, , code, tests] of rows) {
      const named = [...`${code} ${tests}`.matchAll(/`([^`]+)`/g)].map((m) => m[1]!);
      expect(named.length, section).toBeGreaterThan(1);
      for (const file of named) expect(existsSync(file), `${section}: ${file}`).toBe(true);
    }
  });
});
