// Plugins: loaded from their modules, their hooks called for Python.
import path from "node:path";
import { pathToFileURL } from "node:url";
import { Thrown, told } from "./rpc.mjs";
import { described, toolsIn } from "./tools.mjs";

/** Hooks that are descriptions, or whose call is not `(input, output)`. */
const DESCRIPTIONS = new Set(["tool", "auth", "provider"]);

/** A module that is not what it should be; the message is for whoever wrote it. */
export class LoadError extends Error {}

/**
 * Import a file; errors tell file and line.
 * @param {(file: string) => string | undefined} locate where a module that `file` reaches cannot be
 *   parsed: V8 does not tell
 */
export async function imported(file, locate) {
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    const place =
      error instanceof SyntaxError && !placeIn(String(error.stack), file)
        ? locate(file)
        : undefined;
    throw new LoadError(place ?? located(error, file));
  }
}

/** An error's message with the place it comes from: of a SyntaxError the stack alone has it. */
export function located(error, file) {
  if (Array.isArray(error?.errors) && error.errors.length)
    return error.errors.map((e) => located(e, file)).join("\n");
  const message = told(error);
  const name = error?.name && error.name !== "Error" ? `${error.name}: ` : "";
  const position = error?.position;
  if (position?.file) return `${position.file}:${position.line}:${position.column}: ${message}`;
  const place = placeIn(String(error?.stack ?? ""), file);
  return place && !message.includes(place) ? `${place}: ${name}${message}` : `${name}${message}`;
}

function placeIn(stack, file) {
  const plain = stack.replaceAll("file://", "");
  const first = plain.match(/^(\/[^\n]*?:\d+)\n/);
  if (first) return first[1];
  const at = plain.indexOf(`${file}:`);
  return at < 0 ? undefined : plain.slice(at).match(/^[^\n)]*?:\d+/)?.[0];
}

const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The functions a module wants called. The newer form is a default export `{id?, server}`; in the
 * older one every export is a plugin, or has one as its `server`.
 */
function functionsOf(module, spec) {
  const main = module.default;
  if (isRecord(main) && ("server" in main || "tui" in main || "id" in main)) {
    if (typeof main.server !== "function")
      throw new LoadError(`Plugin ${spec} must default export an object with server()`);
    return [main.server.bind(main)];
  }
  const found = [];
  const seen = new Set();
  for (const [name, value] of exportsOf(module)) {
    if (seen.has(value)) continue;
    seen.add(value);
    const run = typeof value === "function" ? value : value?.server;
    if (typeof run !== "function")
      throw new LoadError(`Plugin ${spec}: its export ${name} is not a function`);
    found.push(run);
  }
  if (!found.length) throw new LoadError(`Plugin ${spec} exports nothing`);
  return found;
}

/**
 * A CommonJS module comes with the whole of it as `default`, and its properties a second time: of a
 * function those that every function has, of an object those that are meant.
 */
function exportsOf(module) {
  const own = Object.entries(module).filter(
    ([name]) => name !== "__esModule" && name !== "module.exports",
  );
  const main = module.default;
  const others = own.filter(([name]) => name !== "default");
  if (main == null || !others.every(([name, value]) => main[name] === value)) return own;
  if (typeof main === "function") return [["default", main]];
  return "server" in main ? own : Object.entries(main).filter(([name]) => name !== "__esModule");
}

/**
 * Call a module's plugins and describe what they gave.
 * @returns {Promise<{hooks: object[], tools: Map}>} throws LoadError
 */
export async function loadPlugin(module, { spec, options }, input) {
  const hooks = [];
  for (const run of functionsOf(module, spec)) {
    const given = await run(input, options ?? undefined);
    if (isRecord(given)) hooks.push(given);
  }
  const tools = new Map();
  for (const given of hooks)
    for (const [id, tool] of await toolsIn(given.tool)) tools.set(id, tool);
  return { hooks, tools };
}

/** What Python needs to know of a plugin. */
export function pluginDescription({ hooks, tools }) {
  const names = hooks.flatMap((given) =>
    Object.keys(given).filter(
      (name) => !DESCRIPTIONS.has(name) && typeof given[name] === "function",
    ),
  );
  return { hooks: [...new Set(names)], tools: described(tools) };
}

/** Call a hook of all a module's plugins, in order; the output as they left it. */
export async function callHook({ hooks }, name, input, output) {
  for (const given of hooks) {
    if (typeof given[name] !== "function") continue;
    try {
      if (name === "config") await given.config(output);
      else if (name === "event" || name === "dispose") await given[name](input);
      else await given[name](input, output);
    } catch (error) {
      throw new Thrown(told(error));
    }
  }
  return output;
}

/** Hand over an event to whoever listens; nobody waits for it. */
export function tellEvent({ hooks }, event) {
  for (const given of hooks) {
    if (typeof given.event !== "function") continue;
    Promise.resolve()
      .then(() => given.event({ event }))
      .catch((error) => console.error(`event hook: ${error?.stack ?? told(error)}`));
  }
}

export const stemOf = (file) => path.basename(file, path.extname(file));
