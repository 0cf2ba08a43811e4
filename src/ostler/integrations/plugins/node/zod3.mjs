// zod 3's schemas as JSON Schema (draft 2020-12): zod 4 converts its own alone.

export const isZod3 = (value) =>
  typeof value === "object" &&
  value !== null &&
  typeof value._def?.typeName === "string" &&
  !("_zod" in value);

/** What is sent in: a default makes optional, a transform is what it takes. */
export function fromZod3(schema) {
  const { typeName, description } = schema._def;
  const convert = KINDS[typeName];
  const made = convert ? convert(schema._def, schema) : {};
  return description ? { ...made, description } : made;
}

const inner = (def) => fromZod3(def.innerType);

const KINDS = {
  ZodString: stringSchema,
  ZodNumber: numberSchema,
  ZodBigInt: () => ({ type: "integer" }),
  ZodBoolean: () => ({ type: "boolean" }),
  ZodDate: () => ({ type: "string", format: "date-time" }),
  ZodNull: () => ({ type: "null" }),
  ZodAny: () => ({}),
  ZodUnknown: () => ({}),
  ZodLiteral: (def) => ({ type: def.value === null ? "null" : typeof def.value, const: def.value }),
  ZodEnum: (def) => ({ type: "string", enum: def.values }),
  ZodNativeEnum: (def) => ({ enum: enumValues(def.values) }),
  ZodArray: arraySchema,
  ZodTuple: (def) => ({
    type: "array",
    prefixItems: def.items.map(fromZod3),
    minItems: def.items.length,
  }),
  ZodSet: (def) => ({ type: "array", uniqueItems: true, items: fromZod3(def.valueType) }),
  ZodObject: objectSchema,
  ZodRecord: (def) => ({ type: "object", additionalProperties: fromZod3(def.valueType) }),
  ZodMap: (def) => ({ type: "object", additionalProperties: fromZod3(def.valueType) }),
  ZodUnion: (def) => ({ anyOf: def.options.map(fromZod3) }),
  ZodDiscriminatedUnion: (def) => ({ anyOf: [...def.options.values()].map(fromZod3) }),
  ZodIntersection: (def) => ({ allOf: [fromZod3(def.left), fromZod3(def.right)] }),
  ZodNullable: (def) => ({ anyOf: [inner(def), { type: "null" }] }),
  ZodOptional: inner,
  ZodDefault: (def) => ({ ...inner(def), default: def.defaultValue() }),
  ZodCatch: inner,
  ZodReadonly: inner,
  ZodBranded: (def) => fromZod3(def.type),
  ZodEffects: (def) => fromZod3(def.schema),
  ZodPipeline: (def) => fromZod3(def.in),
  ZodLazy: (def) => fromZod3(def.getter()),
};

/** A numeric enum of TypeScript has its names beside its numbers. */
function enumValues(values) {
  const isReverse = (key) => typeof values[values[key]] === "number";
  return Object.keys(values)
    .filter((key) => !isReverse(key))
    .map((key) => values[key]);
}

const FORMATS = {
  email: "email",
  url: "uri",
  uuid: "uuid",
  datetime: "date-time",
  date: "date",
  time: "time",
};

function stringSchema(def) {
  const schema = { type: "string" };
  for (const check of def.checks ?? []) {
    if (check.kind === "min") schema.minLength = check.value;
    else if (check.kind === "max") schema.maxLength = check.value;
    else if (check.kind === "length") schema.minLength = schema.maxLength = check.value;
    else if (check.kind === "regex") schema.pattern = check.regex.source;
    else if (FORMATS[check.kind]) schema.format = FORMATS[check.kind];
  }
  return schema;
}

function numberSchema(def) {
  const schema = { type: "number" };
  for (const check of def.checks ?? []) {
    if (check.kind === "int") schema.type = "integer";
    else if (check.kind === "multipleOf") schema.multipleOf = check.value;
    else if (check.kind === "min")
      schema[check.inclusive ? "minimum" : "exclusiveMinimum"] = check.value;
    else if (check.kind === "max")
      schema[check.inclusive ? "maximum" : "exclusiveMaximum"] = check.value;
  }
  return schema;
}

function arraySchema(def) {
  const schema = { type: "array", items: fromZod3(def.type) };
  const least = def.exactLength ?? def.minLength;
  const most = def.exactLength ?? def.maxLength;
  if (least) schema.minItems = least.value;
  if (most) schema.maxItems = most.value;
  return schema;
}

function objectSchema(def) {
  const shape = Object.entries(def.shape());
  const schema = {
    type: "object",
    properties: Object.fromEntries(shape.map(([name, value]) => [name, fromZod3(value)])),
    required: shape.filter(([, value]) => !value.isOptional()).map(([name]) => name),
  };
  if (def.unknownKeys === "strict") schema.additionalProperties = false;
  return schema;
}
