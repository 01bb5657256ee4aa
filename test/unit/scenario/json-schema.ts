/** A valibot schema as JSON Schema (draft 7), for the kinds of schemas that scenario documents are made of. */
import type * as v from "valibot";

type Schema = v.BaseSchema<unknown, unknown, v.BaseIssue<unknown>>;
type Json = Record<string, unknown>;
interface Parts {
  readonly type: string;
  readonly entries?: Record<string, Schema>;
  readonly options?: readonly unknown[];
  readonly item?: Schema;
  readonly value?: Schema;
  readonly key?: Schema;
  readonly wrapped?: Schema;
  readonly literal?: unknown;
  readonly pipe?: readonly { readonly kind: string; readonly type: string; readonly requirement?: unknown }[];
}

/** Schemas that stand once, under "definitions". */
type Names = ReadonlyMap<unknown, string>;

/** @throws Error for a kind of schema that this does not know */
export function jsonSchemaOf(schema: Schema, named: Readonly<Record<string, Schema>>): Json {
  const names: Names = new Map(Object.entries(named).map(([name, one]) => [one, name]));
  const definitions = Object.fromEntries(
    Object.entries(named).map(([name, one]) => [name, plain(one, names)]),
  );
  return { ...plain(schema, names), definitions };
}

function convert(schema: Schema, names: Names): Json {
  const name = names.get(schema);
  return name === undefined ? plain(schema, names) : { $ref: `#/definitions/${name}` };
}

function plain(schema: Schema, names: Names): Json {
  const parts = schema as unknown as Parts;
  return { ...base(parts, names), ...restrictions(parts) };
}

function base(parts: Parts, names: Names): Json {
  switch (parts.type) {
    case "string":
    case "number":
    case "boolean":
      return { type: parts.type };
    case "literal":
      return { const: parts.literal };
    case "picklist":
      return { enum: parts.options };
    case "array":
      return { type: "array", items: convert(parts.item!, names) };
    case "record":
      return {
        type: "object",
        propertyNames: convert(parts.key!, names),
        additionalProperties: convert(parts.value!, names),
      };
    case "union":
    case "variant":
      return { anyOf: parts.options!.map((option) => convert(option as Schema, names)) };
    case "optional":
      return convert(parts.wrapped!, names);
    case "strict_object":
      return objectOf(parts.entries!, names);
    default:
      throw new Error(`no JSON Schema for a valibot schema of type ${parts.type}`);
  }
}

function objectOf(entries: Record<string, Schema>, names: Names): Json {
  const keys = Object.keys(entries);
  const required = keys.filter((name) => (entries[name] as unknown as Parts).type !== "optional");
  return {
    type: "object",
    additionalProperties: false,
    ...(required.length > 0 ? { required } : {}),
    properties: Object.fromEntries(keys.map((name) => [name, convert(entries[name]!, names)])),
  };
}

function restrictions({ pipe = [] }: Parts): Json {
  const found: Json = {};
  for (const { kind, requirement, type } of pipe) {
    if (kind !== "validation") continue;
    if (type === "regex") found.pattern = (requirement as RegExp).source;
    else if (type === "min_value") found.minimum = requirement;
    else if (type === "min_length") found.minItems = requirement;
    else if (type === "max_value") found.maximum = requirement;
    else if (type === "integer") found.type = "integer";
    else throw new Error(`no JSON Schema for ${type}`);
  }
  return found;
}
