// How Node finds and reads modules as Bun does: TypeScript, names without an extension, JSON and
// text, and what the host brings for whoever does not bring it.
import fs from "node:fs";
import { builtinModules, createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { compiler, isModule, isTyped, withBunNames } from "./compile.mjs";

const EXTENSIONS = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json"];
const WRITTEN_AS = { ".js": [".ts", ".tsx"], ".jsx": [".tsx"], ".mjs": [".mts"], ".cjs": [".cts"] };

let places;
let searching = false;
let compile;

/** @param {{packages: string, cache: string, bundles: Record<string, string>}} given absolute
 *   paths; bundles are URLs by the URLs they stand for */
export function initialize(given) {
  places = given;
  compile = compiler(given);
}

/** The file a specifier means beside another file, as Bun looks for it; undefined for none. */
export function besides(wanted) {
  const extension = path.extname(wanted);
  const candidates = [
    ...(WRITTEN_AS[extension] ?? []).map((e) => wanted.slice(0, -extension.length) + e),
    ...EXTENSIONS.map((e) => wanted + e),
    ...EXTENSIONS.map((e) => path.join(wanted, `index${e}`)),
  ];
  return candidates.find((file) => fs.statSync(file, { throwIfNoEntry: false })?.isFile());
}

const isFile = (specifier) =>
  specifier.startsWith("./") ||
  specifier.startsWith("../") ||
  specifier === "." ||
  specifier === ".." ||
  specifier.startsWith("/") ||
  specifier.startsWith("file:");

function fileOf(specifier, parent) {
  if (specifier.startsWith("file:")) return fileURLToPath(specifier);
  const [bare] = specifier.split(/[?#]/);
  return parent?.startsWith("file:")
    ? path.resolve(path.dirname(fileURLToPath(parent)), bare)
    : path.resolve(bare);
}

/** What to do when Node did not find a module: a list of attempts, in order, each (specifier, parent). */
function attempts(specifier, parent) {
  if (isFile(specifier)) {
    const file = besides(fileOf(specifier, parent));
    return file ? [[pathToFileURL(file).href, parent]] : [];
  }
  if (/^[a-z][a-z0-9+.-]*:/i.test(specifier) || specifier.startsWith("#")) return [];
  const own = required(specifier, parent);
  return [
    ...(own ? [[pathToFileURL(own).href, parent]] : []),
    [specifier, pathToFileURL(path.join(places.packages, "package.json")).href],
  ];
}

/** A package that leaves out extensions in its own imports is found by the older rules. */
function required(specifier, parent) {
  if (!parent?.startsWith("file:") || builtinModules.includes(specifier)) return undefined;
  searching = true; // in this thread the search itself comes by the hooks
  try {
    const found = createRequire(parent).resolve(specifier);
    return path.isAbsolute(found) ? found : undefined;
  } catch {
    return undefined;
  } finally {
    searching = false;
  }
}

/** Whether Node's own answer may be improved upon. */
const isMissing = (error) =>
  [
    "ERR_MODULE_NOT_FOUND",
    "MODULE_NOT_FOUND",
    "ERR_UNSUPPORTED_DIR_IMPORT",
    "ERR_PACKAGE_PATH_NOT_EXPORTED",
  ].includes(error?.code);

const bundled = (found) => {
  const url = places.bundles[found.url];
  return url ? { ...found, url } : found;
};

export async function resolve(specifier, context, next) {
  try {
    return bundled(await next(specifier, context));
  } catch (error) {
    if (!isMissing(error)) throw error;
    for (const [other, parentURL] of attempts(specifier, context.parentURL)) {
      try {
        return bundled(await next(other, { ...context, parentURL }));
      } catch (again) {
        if (!isMissing(again)) throw again;
      }
    }
    throw error;
  }
}

export function resolveSync(specifier, context, next) {
  try {
    return bundled(next(specifier, context));
  } catch (error) {
    if (searching || !isMissing(error)) throw error;
    for (const [other, parentURL] of attempts(specifier, context.parentURL)) {
      try {
        // `require` takes paths, `import` URLs.
        const wanted =
          isRequired(context) && other.startsWith("file:") ? fileURLToPath(other) : other;
        return bundled(next(wanted, { ...context, parentURL }));
      } catch (again) {
        if (!isMissing(again)) throw again;
      }
    }
    throw error;
  }
}

/** In the loader's thread Node reads CommonJS itself, by `require.extensions`; see loader.mjs. */
export async function load(url, context, next) {
  const ours = read(url, context);
  if (!ours) return next(url, context);
  return ours.format === "commonjs"
    ? { format: "commonjs", source: null, shortCircuit: true }
    : ours;
}

export function loadSync(url, context, next) {
  return read(url, context) ?? next(url, context);
}

const asModule = (source) => ({ format: "module", source, shortCircuit: true });

/** What a file is to Node, where Node alone would not read it so; undefined where it would. */
function read(url, context) {
  if (!url.startsWith("file:")) return undefined;
  const file = fileURLToPath(url);
  const extension = path.extname(file);
  const type = (context.importAttributes ?? context.importAssertions)?.type;
  if (type === "text" || (type === undefined && extension === ".txt")) {
    return asModule(`export default ${JSON.stringify(fs.readFileSync(file, "utf8"))};`);
  }
  if (extension === ".json") return jsonModule(file, context);
  if (isTyped(file)) return typed(file);
  if (extension === ".mjs") return patched(fs.readFileSync(file, "utf8"));
  if (extension === ".js") {
    const source = fs.readFileSync(file, "utf8");
    if (context.format === "module") return patched(source);
    if (!isRequired(context) && isModule(source, file)) return asModule(withBunNames(source));
  }
  return undefined;
}

const isRequired = (context) => context.conditions?.includes("require");

function patched(source) {
  const code = withBunNames(source);
  return code === source ? undefined : asModule(code);
}

function typed(file) {
  const code = compile(file, fs.readFileSync(file, "utf8"));
  const cts = file.endsWith(".cts");
  const isEs =
    !cts &&
    (file.endsWith(".mts") ||
      isModule(code, file) ||
      !/\bmodule\.exports\b|\bexports\.\w|\brequire\(/.test(code));
  if (isEs) return asModule(withBunNames(code));
  return {
    format: "commonjs",
    source: cts && isModule(code, file) ? compileCommon(file) : code,
    shortCircuit: true,
  };
}

const compileCommon = (file) => compile(file, fs.readFileSync(file, "utf8"), "cjs");

/** JSON with its keys as exports too, and no need to say that it is JSON. */
function jsonModule(file, context) {
  if (isRequired(context)) return undefined;
  const text = fs.readFileSync(file, "utf8").replace(/^\uFEFF/, "");
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(`${file}: ${error.message}`);
  }
  const names =
    value && typeof value === "object" && !Array.isArray(value) ? Object.keys(value) : [];
  const named = names
    .filter((name) => /^[A-Za-z_$][\w$]*$/.test(name) && !RESERVED.has(name))
    .map((name) => `export const ${name} = value[${JSON.stringify(name)}];`);
  return asModule(
    `const value = ${JSON.stringify(value)}; export default value; ${named.join(" ")}`,
  );
}

const RESERVED = new Set(
  (
    "await break case catch class const continue debugger default delete do else enum export extends false finally for " +
    "function if implements import in instanceof interface let new null package private protected public return static " +
    "super switch this throw true try typeof var void while with yield value eval arguments"
  ).split(" "),
);
