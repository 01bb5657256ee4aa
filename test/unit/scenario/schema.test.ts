/**
 * docs/scenario.schema.json is what core/scenario/document.ts says: it is made from it here (run this file with
 * `vitest -u` after a change), and an independent validator accepts the whole library by it.
 */
import Ajv from "ajv";
import { parse } from "jsonc-parser";
import { describe, expect, it } from "vitest";
import { ScenarioDocument, Step } from "../../../core/scenario/document.ts";
import { library } from "../../../core/scenario/index.ts";
import {
  EntryPlace,
  EventFields,
  EventName,
  PageKey,
  PolicyId,
  Prediction,
} from "../../../core/scenario/predictions.ts";
import { jsonSchemaOf } from "./json-schema.ts";

const schema = {
  $schema: "http://json-schema.org/draft-07/schema#",
  $id: "https://quadrant.invalid/scenario.schema.json",
  title: "A scenario of Quadrant",
  description:
    "docs/scenarios.md explains every key. Files may have comments and a comma behind the last item.",
  ...jsonSchemaOf(ScenarioDocument, {
    Step,
    Prediction,
    PageKey,
    EntryPlace,
    EventName,
    EventFields,
    PolicyId,
  }),
};

it("is the published one", async () => {
  await expect(`${JSON.stringify(schema, null, 1)}\n`).toMatchFileSnapshot(
    "../../../docs/scenario.schema.json",
  );
});

describe("an independent validator", () => {
  const validate = new Ajv({ strict: false, allErrors: false }).compile(schema);
  it("accepts the library", () => {
    for (const { id, text } of library())
      expect([id, validate(parse(text)), validate.errors]).toEqual([id, true, null]);
  });
  it("refuses what the parser refuses", () => {
    const good = { scenario: 1, title: "T", steps: [{ do: "note" }] };
    expect(validate(good)).toBe(true);
    for (const wrong of [
      { ...good, scenario: 2 },
      { ...good, steps: [] },
      { ...good, luck: 1 },
      { ...good, steps: [{ do: "jump" }] },
      { ...good, steps: [{ do: "access", gva: "0x" }] },
      { ...good, steps: [{ do: "note", predict: [{ what: "counter", name: "pf", by: 1 }] }] },
    ])
      expect([wrong, validate(wrong)]).toEqual([wrong, false]);
  });
});
