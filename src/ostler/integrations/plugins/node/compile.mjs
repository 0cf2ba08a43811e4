// TypeScript to JavaScript, once for each text: what was compiled before is read from disk.
import { createHash } from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import vm from "node:vm";

const KEPT = 2000;
const LOADERS = { ".ts": "ts", ".mts": "ts", ".cts": "ts", ".tsx": "tsx", ".jsx": "jsx" };

export const isTyped = (file) => path.extname(file) in LOADERS;

/**
 * @param {{packages: string, cache: string}} places where esbuild is, and where results are kept
 * @returns {(file: string, source: string, format?: "cjs") => string} throws SyntaxError with file
 *   and line
 */
export function compiler({ packages, cache: given }) {
  const cache = path.join(given, "compiled");
  let esbuild;
  let version;
  const require = createRequire(path.join(packages, "package.json"));

  return (file, source, format) => {
    version ??= require("esbuild/package.json").version;
    const name = path.basename(file);
    const key = createHash("sha256")
      .update([version, name, format ?? "", source].join("\0"))
      .digest("hex");
    const kept = path.join(cache, `${key}.js`);
    try {
      return fs.readFileSync(kept, "utf8");
    } catch {
      // Not compiled before, or the cache is not to be read: it is compiled now.
    }
    esbuild ??= require("esbuild");
    const code = transformed(esbuild, file, source, format);
    keep(cache, kept, code);
    return code;
  };
}

/** Where a text that a file is or imports cannot be parsed: `file:line:column: message`, or nothing. */
export function syntaxErrorIn(packages, file) {
  try {
    createRequire(path.join(packages, "package.json"))("esbuild").buildSync({
      absWorkingDir: "/",
      bundle: true,
      entryPoints: [file],
      format: "esm",
      logLevel: "silent",
      packages: "external",
      platform: "node",
      tsconfigRaw: "{}",
      write: false,
    });
  } catch (error) {
    const first = error.errors?.find(({ location }) => location);
    return (
      first &&
      `/${first.location.file}:${first.location.line}:${first.location.column + 1}: SyntaxError: ${first.text}`
    );
  }
  return undefined;
}

function transformed(esbuild, file, source, format) {
  try {
    return esbuild.transformSync(source, {
      loader: LOADERS[path.extname(file)] ?? "ts",
      format,
      target: "node20",
      jsx: "automatic",
      sourcefile: path.basename(file),
      sourcemap: "inline",
      sourcesContent: false,
      logLevel: "silent",
      tsconfigRaw: "{}",
    }).code;
  } catch (error) {
    const first = error.errors?.[0];
    if (!first) throw error;
    const { line, column } = first.location ?? { line: 1, column: 0 };
    throw new SyntaxError(`${file}:${line}:${column + 1}: ${first.text}`);
  }
}

function keep(cache, file, code) {
  try {
    fs.mkdirSync(cache, { recursive: true });
    const part = `${file}.${process.pid}`;
    fs.writeFileSync(part, code);
    fs.renameSync(part, file);
    const names = fs.readdirSync(cache);
    if (names.length > KEPT) forget(cache, names);
  } catch {
    // A cache that cannot be written costs time, nothing else.
  }
}

/** Half of what is kept goes, the oldest first. */
function forget(cache, names) {
  const aged = names.map((name) => [fs.statSync(path.join(cache, name)).mtimeMs, name]).sort();
  for (const [, name] of aged.slice(0, KEPT / 2))
    fs.rmSync(path.join(cache, name), { force: true });
}

const PARAMETERS = ["exports", "require", "module", "__filename", "__dirname"];

/**
 * Whether a text can only be an ES module.
 * @param {string} file to be named where the text is neither kind
 */
export function isModule(code, file) {
  try {
    vm.compileFunction(code.replace(/^#!.*/, ""), PARAMETERS, { filename: file });
    return false;
  } catch (error) {
    if (
      /import statement|'export'|import\.meta|await is only valid|has already been declared/.test(
        error.message,
      )
    ) {
      return true;
    }
    const [place] = String(error.stack).split("\n");
    throw new SyntaxError(`${place}: ${error.message}`);
  }
}

const declares = (code, name) =>
  new RegExp(`\\b(?:const|let|var|function|class)\\s+${name}\\b`).test(code) ||
  new RegExp(`\\bimport\\b[^;'"]*\\b${name}\\b[^;'"]*\\bfrom\\b`).test(code);

/**
 * What Bun gives to every ES module, put before one that mentions it, on its first line so that
 * lines stay what they are.
 */
export function withBunNames(code) {
  const parts = [];
  if (
    /import\.meta\.(?!url\b|resolve\b|dirname\b|filename\b)\w/.test(code) ||
    /import\.meta\b(?!\.)/.test(code)
  ) {
    parts.push("globalThis[Symbol.for('ostler.meta')]?.(import.meta);");
  }
  if (/\brequire\b/.test(code) && !declares(code, "require")) {
    parts.push(
      "import { createRequire as __ostlerRequire } from 'node:module'; const require = __ostlerRequire(import.meta.url);",
    );
  }
  for (const [name, key] of [
    ["__dirname", "dirname"],
    ["__filename", "filename"],
  ]) {
    if (new RegExp(`\\b${name}\\b`).test(code) && !declares(code, name)) {
      const made = key === "filename" ? "p" : "u.dirname(p)";
      parts.push(
        `import * as __ostler_${key} from 'node:url'; import * as __ostler_${key}_path from 'node:path'; ` +
          `const ${name} = ((p, u) => ${made})(__ostler_${key}.fileURLToPath(import.meta.url), __ostler_${key}_path);`,
      );
    }
  }
  return parts.length ? parts.join(" ") + code.replace(/^#!/, "//") : code;
}
