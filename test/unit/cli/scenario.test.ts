/** `quadrant scenario` and `quadrant compare` from their words to their exit codes. */
import { beforeEach, describe, expect, test } from "vitest";
import { main } from "../../../electron/cli/cli.ts";
import type { CliIo } from "../../../electron/cli/io.ts";

let out = "";
let err: string[] = [];
let files = new Map<string, Uint8Array>();
const io: CliIo = {
  out: (bytes) => {
    out += new TextDecoder().decode(bytes);
  },
  err: (line) => err.push(line),
  readFile: (path) => {
    const bytes = files.get(path);
    if (bytes === undefined) throw new Error(`${path} cannot be read: there is no such file or folder`);
    return bytes;
  },
  writeFile: (path, bytes) => void files.set(path, bytes),
  makeFolder: () => {},
  writeSparse: () => {},
};
beforeEach(() => {
  out = "";
  err = [];
  files = new Map();
});
const quadrant = (words: string) => main(words.split(" "), io);
const put = (path: string, text: string) => files.set(path, new TextEncoder().encode(text));

describe("scenario", () => {
  test("a built-in one runs under each of its policies and comes true", async () => {
    expect(await quadrant("scenario seed-page-table")).toBe(0);
    for (const policy of ["P", "B", "C", "D"]) expect(out).toContain(`\nunder ${policy}\n`);
    expect(out).toContain("event pte_write (gfn 0x1234, offset 0x920, bytes 4): 1 time (7.2)");
    expect(out).not.toContain("FAILED");
    expect(err.at(-1)).toMatch(/^quadrant: all \d+ predictions came true$/);
  });

  test("a prediction that fails: exit code 1, with predicted and found", async () => {
    expect(await quadrant("scenario seed-page-table --policy D --as B --json out.json")).toBe(1);
    expect(out).toMatch(/FAILED audit: predicted clean; found I3, I9 \(.+\) \(8\)/);
    const report = JSON.parse(new TextDecoder().decode(files.get("out.json"))) as {
      failed: number;
      runs: { policy: string; as: string; steps: { predictions: { ok: boolean }[] }[] }[];
    };
    const bad = report.runs[0]!.steps.flatMap((step) => step.predictions).filter(({ ok }) => !ok);
    expect(report).toMatchObject({ failed: bad.length, runs: [{ policy: "D", as: "B" }] });
    expect(bad.length).toBeGreaterThan(0);
  });

  test("a hazard as it was refutes what its guard makes true", async () => {
    expect(await quadrant("scenario pse-36")).toBe(0);
    expect(await quadrant("scenario pse-36 --hazards pse36-gfn=as-it-was")).toBe(1);
  });

  test("a file, with an image beside it", async () => {
    put("d/halt.bin", "\u0090");
    files.set("d/halt.bin", Uint8Array.of(0xb8, 0x2a, 0, 0, 0, 0xf4)); // mov eax,42; hlt
    put(
      "d/mine.jsonc",
      `{ "scenario": 1, "title": "T", // mine
        "machine": { "image": { "file": "halt.bin", "kind": "flat" } },
        "steps": [{ "do": "run", "until": { "halt": true }, "predict": [{ "what": "register", "name": "eax", "is": 42 }] }] }`,
    );
    expect(await quadrant("scenario d/mine.jsonc")).toBe(0);
    expect(out).toContain("eax: 0x2a");
  });

  test("bad files and words: exit code 2 and where", async () => {
    put("bad.jsonc", '{ "scenario": 1,\n "title": "T",\n "steps": [{ "do": "jump" }] }');
    expect(await quadrant("scenario bad.jsonc")).toBe(2);
    expect(err.at(-1)).toMatch(
      /^quadrant: bad\.jsonc: line 3, column 20: "do" of a step is one of note, run/,
    );
    // What is found only when the machine is set up is told with the file as well, under both commands.
    put("lost.jsonc", '{ "scenario": 1, "title": "T",\n "steps": [{ "do": "invlpg", "gva": "nowhere" }] }');
    for (const words of ["scenario --policy B lost.jsonc", "compare lost.jsonc --policies B,D"]) {
      expect(await quadrant(words)).toBe(2);
      expect(err.at(-1)).toMatch(/^quadrant: lost\.jsonc: line 2, column 37: there is no symbol "nowhere"/);
    }
    expect(await quadrant("scenario nowhere")).toBe(2);
    expect(err.at(-1)).toMatch(/no such file or folder; built-in scenarios are seed-page-table/);
    expect(await quadrant("scenario seed-page-table --policy Z")).toBe(2);
    expect(err.at(-1)).toMatch(/there is no policy "Z"; there are none, /);
    expect(await quadrant("scenario")).toBe(2);
    expect(err.at(-1)).toMatch(/say which scenario/);
  });

  test("list names the library", async () => {
    expect(await quadrant("list")).toBe(0);
    expect(out).toMatch(/Scenarios \(quadrant scenario NAME\):\n {2}seed-page-table /);
  });
});

describe("compare", () => {
  test("equal: exit code 0", async () => {
    expect(await quadrant("compare quadrant --policies P,B")).toBe(0);
    expect(out).toContain("the guest sees the same under P and B");
  });

  test("a difference: exit code 1, what, since when and why", async () => {
    expect(await quadrant("compare quadrant --policies P,B --until shadow --json -")).toBe(1);
    const report = JSON.parse(out) as {
      difference: { kind: string; why: string[]; entries: { index: number }[] };
    };
    expect(report.difference).toMatchObject({ kind: "shadow", entries: [{ index: 72 }] });
    expect(report.difference.why.join(" ")).toContain("skipped: wrong quadrant under B");
  });

  test("hazards of the same policy, on a scenario", async () => {
    const words = "compare pse-36 --policies B,B --hazards guarded --hazards-b pse36-gfn=as-it-was";
    expect(await quadrant(words)).toBe(1);
    expect(out).toContain("memory at gpa 0x100002000: 0xabcd under B (--hazards), 0x0 under B (--hazards-b)");
  });

  test("nested paging beside itself: the host tables, and a walk cache on one side alone", async () => {
    const story = "compare nested-walk-cache --policies nested,nested";
    expect(await quadrant(`${story} --nested-levels 3,4 --until shadow`)).toBe(0);
    expect(out).toContain("the host tables hold the same under nested (first) and nested (second)");
    expect(await quadrant(`${story} --walk-cache 4,0`)).toBe(1);
    expect(out).toContain("the guest sees a difference");
    expect(out).toContain("reads 0x21312d61 under nested (first), reads 0x21312d62 under nested (second)");
    expect(await quadrant("compare quadrant --policies nested,B --until shadow")).toBe(2);
    expect(err.at(-1)).toMatch(/host tables \(guest-physical to host\) and B a shadow/);
    expect(await quadrant("compare quadrant --policies P,B --walk-cache 4")).toBe(2);
    expect(err.at(-1)).toMatch(/name nested in --policies/);
    expect(await quadrant(`${story} --nested-levels 3,4,3`)).toBe(2);
    expect(await quadrant(`${story} --walk-cache 4,65`)).toBe(2);
    expect(err.at(-1)).toMatch(/from 0 to 64, not "65"/);
  });

  test("what cannot be done is said", async () => {
    expect(await quadrant("compare quadrant")).toBe(2);
    expect(err.at(-1)).toMatch(/say which two policies/);
    expect(await quadrant("compare quadrant --policies none,B --until shadow")).toBe(2);
    expect(err.at(-1)).toMatch(/policy none has no shadow/);
    expect(await quadrant("compare quadrant --policies B --until shadow")).toBe(2);
    expect(await quadrant("compare quadrant --policies B,C --until moon")).toBe(2);
    expect(err.at(-1)).toMatch(/--until takes guest or shadow, not "moon"/);
  });
});
