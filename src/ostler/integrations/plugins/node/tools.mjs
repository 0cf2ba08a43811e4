// Tools: found in modules and in what plugins return, described to Python, run for it.
import { parametersOf } from "./schema.mjs";
import { Thrown, told } from "./rpc.mjs";

const DEFINED = Symbol.for("ostler.tool");

const isTool = (value) =>
  typeof value === "object" &&
  value !== null &&
  "description" in value &&
  "execute" in value &&
  ("args" in value || "parameters" in value);
const isDefined = (value) =>
  typeof value === "object" &&
  value !== null &&
  typeof value.id === "string" &&
  typeof value.init === "function" &&
  (value[DEFINED] || !("server" in value));

/** The tools a file exports, by id: `<stem>` for its default, `<stem>_<name>` for others. */
export async function toolsOf(stem, module) {
  const tools = new Map();
  for (const [name, value] of Object.entries(module)) {
    if (isDefined(value)) tools.set(value.id, made(await value.init()));
    else if (isTool(value)) tools.set(name === "default" ? stem : `${stem}_${name}`, made(value));
  }
  return tools;
}

/** The tools of a plugin's `tool` map, by id. */
export async function toolsIn(map) {
  const tools = new Map();
  for (const [id, value] of Object.entries(map ?? {})) {
    tools.set(id, made(isDefined(value) ? await value.init() : value));
  }
  return tools;
}

function made(definition) {
  const { schema, parse } = parametersOf(definition.args ?? definition.parameters);
  return {
    description: String(definition.description ?? ""),
    schema,
    parse,
    execute: (args, context) => definition.execute(args, context),
  };
}

/** What Python needs to know of tools. */
export const described = (tools) =>
  [...tools].map(([id, { description, schema }]) => ({ id, description, parameters: schema }));

/**
 * Runs calls of tools, and tells running ones that they are aborted.
 * @param {ReturnType<import("./rpc.mjs").connect>} peer
 */
export function toolRunner(peer) {
  const running = new Map();

  async function run(tool, id, { call, args, context }) {
    let parsed;
    try {
      parsed = tool.parse(args);
    } catch (error) {
      throw new Thrown(
        `The ${id} tool was called with invalid arguments: ${error.message}.\n` +
          "Please rewrite the input so it satisfies the expected schema.",
      );
    }
    const controller = new AbortController();
    running.set(call, controller);
    try {
      return resultOf(
        await tool.execute(parsed, contextOf(peer, call, context, controller.signal)),
      );
    } catch (error) {
      throw new Thrown(told(error), { refusal: error?.data?.refusal });
    } finally {
      running.delete(call);
    }
  }

  return { run, abort: (call) => running.get(call)?.abort() };
}

function contextOf(peer, call, context, abort) {
  return {
    ...context,
    extra: {},
    messages: [],
    abort,
    metadata(shown = {}) {
      peer.notify("tool.show", { call, title: shown.title, metadata: shown.metadata });
    },
    async ask({ permission, patterns = [], always = [], metadata = {} }) {
      await peer.call("tool.ask", { call, permission, patterns, always, metadata });
    },
  };
}

/** What can travel: undefined is nothing said, and a bigint would not be JSON. */
function resultOf(value) {
  if (value === undefined || typeof value === "function" || typeof value === "symbol") return null;
  return typeof value === "bigint" ? String(value) : value;
}
