// What a tool's parameters are: JSON Schema for the model, and a check of what the model sent.
// zod 4 and zod 3 are told apart by what their schemas carry, never by class: a plugin may bring a
// copy of its own.
import { fromZod3, isZod3 } from "./zod3.mjs";

/** @type {typeof import("zod").z} */
let z;

/** Says which zod 4 there is: it is found once modules are found as plugins find them. */
export function useZod(zod) {
  z = zod;
}

const isZod4 = (value) => typeof value === "object" && value !== null && "_zod" in value;
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * @param {unknown} given a zod object, a shape of zod schemas, a JSON Schema of an object, or plain
 *   JSON Schemas by name (all required, as OpenCode has it)
 * @returns {{schema: object, parse: (args: object) => object}} `parse` throws Error with what does
 *   not fit
 */
export function parametersOf(given) {
  const parameters = given ?? {};
  if (isZod4(parameters)) return ofZod4(parameters);
  if (isZod3(parameters)) return ofZod3(parameters);
  const entries = Object.entries(parameters);
  if (entries.every(([, value]) => isZod4(value))) return ofZod4(z.object(parameters));
  if (entries.every(([, value]) => isZod3(value))) return ofZod3Shape(entries);
  if (parameters.type === "object" && isObject(parameters.properties)) return asGiven(parameters);
  return asGiven(ofFragments(entries));
}

const asGiven = (schema) => ({ schema, parse: (args) => args });

function ofFragments(entries) {
  const properties = Object.fromEntries(
    entries
      .map(([name, value]) => [
        name,
        isZod4(value) ? jsonSchema(value) : isZod3(value) ? fromZod3(value) : value,
      ])
      .filter(([, value]) => typeof value === "boolean" || isObject(value)),
  );
  return { type: "object", properties, required: Object.keys(properties) };
}

// ── zod 4 ──────────────────────────────────────────────────────────────────────────────────────

function ofZod4(schema) {
  return { schema: jsonSchema(schema), parse: (args) => parsed(z.safeParse(schema, args)) };
}

function jsonSchema(schema) {
  const made = withoutOldBounds(
    z.toJSONSchema(schema, { io: "input", metadata: descriptions(schema), unrepresentable: "any" }),
  );
  const { $defs, ...rest } = made;
  return $defs ? { ...rest, definitions: $defs } : rest;
}

/** Descriptions live in a registry of each copy of zod: they are brought into one of ours. */
function descriptions(schema) {
  const registry = z.registry();
  const seen = new WeakSet();
  const collect = (value) => {
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    seen.add(value);
    if (!isZod4(value)) return Object.values(value).forEach(collect);
    const meta = typeof value.meta === "function" ? value.meta() : undefined;
    const description =
      typeof value.description === "string" ? { description: value.description } : {};
    const known = { ...(isObject(meta) ? meta : {}), ...description };
    if (Object.keys(known).length) registry.add(value, known);
    collect(value._zod.def);
  };
  collect(schema);
  return registry;
}

/** `exclusiveMinimum: true` is of a draft that no provider reads. */
function withoutOldBounds(value) {
  if (Array.isArray(value)) return value.map(withoutOldBounds);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, v]) => !(/^exclusive(Minimum|Maximum)$/.test(key) && typeof v === "boolean"))
      .map(([key, v]) => [key, withoutOldBounds(v)]),
  );
}

// ── zod 3 ──────────────────────────────────────────────────────────────────────────────────────

function ofZod3(schema) {
  return {
    schema: { $schema: DRAFT, ...fromZod3(schema) },
    parse: (args) => parsed(schema.safeParse(args)),
  };
}

const DRAFT = "https://json-schema.org/draft/2020-12/schema";

/** A shape is parsed key by key: the z.object it belongs to is in the plugin's copy of zod. */
function ofZod3Shape(entries) {
  const properties = Object.fromEntries(entries.map(([name, value]) => [name, fromZod3(value)]));
  const required = entries.filter(([, value]) => !value.isOptional()).map(([name]) => name);
  const parse = (args) => {
    const result = {};
    const issues = [];
    for (const [name, schema] of entries) {
      const { success, data, error } = schema.safeParse(args?.[name]);
      if (!success)
        issues.push(...error.issues.map((issue) => ({ ...issue, path: [name, ...issue.path] })));
      else if (data !== undefined) result[name] = data;
    }
    return parsed({ success: !issues.length, data: result, error: { issues } });
  };
  return { schema: { $schema: DRAFT, type: "object", properties, required }, parse };
}

function parsed({ success, data, error }) {
  if (success) return data;
  const issues = error.issues.map(
    ({ message, path }) => `${message}\n  at ${JSON.stringify(path)}`,
  );
  throw new Error(issues.join("\n"));
}
