// Puts hooks.mjs to work in Node: in this thread where Node can (22.15), else in its loader's.
import fs from "node:fs";
import Module, { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { compiler } from "./compile.mjs";
import * as hooks from "./hooks.mjs";

const EXTENSIONS = [".ts", ".tsx", ".mts", ".cts"];

/** @param {{packages: string, cache: string, bundles: Record<string, string>}} places as hooks.mjs has them */
export function install(places) {
  process.setSourceMapsEnabled?.(true);
  Module.enableCompileCache?.(path.join(places.cache, "node"));
  globalThis[Symbol.for("ostler.meta")] = bunMeta;
  if (Module.registerHooks) {
    hooks.initialize(places);
    Module.registerHooks({ resolve: hooks.resolveSync, load: hooks.loadSync });
    return;
  }
  Module.register("./hooks.mjs", { parentURL: import.meta.url, data: places });
  hooks.initialize(places); // what it finds is needed in this thread as well
  requireTypeScript(places);
}

/** `require` of TypeScript, for which this Node has no hooks. */
function requireTypeScript(places) {
  const compile = compiler(places);
  for (const extension of EXTENSIONS) {
    Module._extensions[extension] = (module, file) =>
      module._compile(compile(file, fs.readFileSync(file, "utf8"), "cjs"), file);
  }
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, parent, ...rest) {
    try {
      return resolve.call(this, request, parent, ...rest);
    } catch (error) {
      const file = parent?.filename && found(request, parent.filename, places);
      if (file) return file;
      throw error;
    }
  };
}

function found(request, from, places) {
  if (/^\.{0,2}\//.test(request)) return hooks.besides(path.resolve(path.dirname(from), request));
  try {
    return createRequire(path.join(places.packages, "package.json")).resolve(request);
  } catch {
    return undefined;
  }
}

/** The properties Bun's `import.meta` has beyond Node's. */
function bunMeta(meta) {
  if (meta.dir !== undefined) return;
  const file = fileURLToPath(meta.url);
  const require = createRequire(meta.url);
  Object.assign(meta, {
    dir: path.dirname(file),
    dirname: path.dirname(file),
    file: path.basename(file),
    filename: file,
    path: file,
    env: process.env,
    main: false,
    require,
    resolveSync: (specifier, from) => (from ? createRequire(from) : require).resolve(specifier),
  });
}
