// `$` of Bun, for Node: a template is a command for `sh`, and what is put into it stays one word.
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

/** Bytes of a command line that the system takes as one argument; more goes through a file. */
const LONGEST_COMMAND = 100_000;

export class ShellError extends Error {
  constructor(output, command) {
    super(`Failed with exit code ${output.exitCode}`);
    this.name = "ShellError";
    this.info = {
      exitCode: output.exitCode,
      stdout: output.stdout,
      stderr: output.stderr,
      command,
    };
    this.exitCode = output.exitCode;
    this.stdout = output.stdout;
    this.stderr = output.stderr;
  }
  text(encoding) {
    return this.stdout.toString(encoding);
  }
  json() {
    return JSON.parse(this.text());
  }
  arrayBuffer() {
    return bytes(this.stdout).buffer;
  }
  bytes() {
    return bytes(this.stdout);
  }
  blob() {
    return new Blob([this.stdout]);
  }
}

/** What a command left: `stdout` and `stderr` are Buffers. */
export class ShellOutput {
  constructor(stdout, stderr, exitCode) {
    Object.assign(this, { stdout, stderr, exitCode });
  }
  text(encoding) {
    return this.stdout.toString(encoding);
  }
  json() {
    return JSON.parse(this.text());
  }
  arrayBuffer() {
    return bytes(this.stdout).buffer;
  }
  bytes() {
    return bytes(this.stdout);
  }
  blob() {
    return new Blob([this.stdout]);
  }
}

const bytes = (buffer) => new Uint8Array(buffer);

/** A shell with defaults of its own: `$.cwd(d)`, `$.env(e)`, `$.nothrow()`, `$.throws(b)` set them. */
export function makeShell() {
  const defaults = { cwd: undefined, env: undefined, throws: true };

  function $(strings, ...values) {
    if (!Array.isArray(strings?.raw)) throw new TypeError("$ is a template tag: $`command`");
    return new ShellPromise(commandLine(strings.raw, values), { ...defaults, quiet: false });
  }
  $.cwd = (directory) => ((defaults.cwd = directory), $);
  $.env = (variables) => ((defaults.env = variables), $);
  $.throws = (should) => ((defaults.throws = Boolean(should)), $);
  $.nothrow = () => $.throws(false);
  $.escape = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? String(text) : quoted(String(text)));
  $.braces = braces;
  $.Shell = makeShell;
  $.ShellError = ShellError;
  $.ShellPromise = ShellPromise;
  return $;
}

/** Begins when it is awaited, so that the settings after the template still count. */
class ShellPromise {
  #command;
  #settings;
  #running;
  #input;

  constructor({ command, input }, settings) {
    this.#command = command;
    this.#input = input;
    this.#settings = settings;
  }

  get [Symbol.toStringTag]() {
    return "Promise";
  }
  #set(settings) {
    Object.assign(this.#settings, settings);
    return this;
  }
  cwd(directory) {
    return this.#set({ cwd: directory });
  }
  env(variables) {
    return this.#set({ env: variables });
  }
  quiet(silent = true) {
    return this.#set({ quiet: silent });
  }
  throws(should) {
    return this.#set({ throws: Boolean(should) });
  }
  nothrow() {
    return this.throws(false);
  }
  /** Begin without waiting. */
  run() {
    this.#running ??= execute(this.#command, this.#input, this.#settings);
    return this;
  }
  then(onFulfilled, onRejected) {
    return this.run().#running.then(onFulfilled, onRejected);
  }
  catch(onRejected) {
    return this.then(undefined, onRejected);
  }
  finally(onFinally) {
    return this.run().#running.finally(onFinally);
  }
  async text(encoding) {
    return (await this.quiet()).text(encoding);
  }
  async json() {
    return (await this.quiet()).json();
  }
  async arrayBuffer() {
    return (await this.quiet()).arrayBuffer();
  }
  async bytes() {
    return (await this.quiet()).bytes();
  }
  async blob() {
    return (await this.quiet()).blob();
  }
  async *lines() {
    const text = await this.text();
    if (text) yield* text.replace(/\n$/, "").split(/\r?\n/);
  }
}

async function execute(command, input, { cwd, env, quiet, throws }) {
  const script = Buffer.byteLength(command) > LONGEST_COMMAND ? scriptFile(command) : undefined;
  try {
    const child = spawn("sh", script ? [script] : ["-c", command], {
      cwd: cwd ?? process.cwd(),
      env: env ?? process.env,
      stdio: [input ? "pipe" : "ignore", "pipe", "pipe"],
    });
    if (input) {
      child.stdin.on("error", () => {}); // it may end without having read
      Promise.resolve(input()).then((data) => child.stdin.end(data));
    }
    const [stdout, stderr, exitCode] = await Promise.all([
      collected(child.stdout, quiet ? undefined : process.stdout),
      collected(child.stderr, quiet ? undefined : process.stderr),
      ended(child),
    ]);
    const output = new ShellOutput(stdout, stderr, exitCode);
    if (exitCode !== 0 && throws) throw new ShellError(output, command);
    return output;
  } finally {
    if (script) fs.rmSync(path.dirname(script), { recursive: true, force: true });
  }
}

function scriptFile(command) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ostler-shell-"));
  const file = path.join(folder, "command.sh");
  fs.writeFileSync(file, command, { mode: 0o600 });
  return file;
}

async function collected(stream, echo) {
  const chunks = [];
  for await (const chunk of stream) {
    chunks.push(chunk);
    echo?.write(chunk);
  }
  return Buffer.concat(chunks);
}

/** The exit status, 128 + the signal's number where one ended it, as a shell has it. */
function ended(child) {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(code ?? 128 + (os.constants.signals[signal] ?? 0)));
  });
}

// ── from a template to a command line ──────────────────────────────────────────────────────────

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function commandLine(raw, values) {
  const place = new Place();
  let command = "";
  let input;
  raw.forEach((part, index) => {
    let text = part;
    if (index > 0) {
      const value = values[index - 1];
      const fed = isFed(value) && /<\s*$/.test(command);
      if (fed) {
        command = command.replace(/<\s*$/, "");
        input = () => contents(value);
      } else {
        command += interpolated(value, place.quote);
      }
    }
    place.read(text);
    command += text;
  });
  return { command, input };
}

/** Where in a command line the next character stands, as far as quoting goes. */
class Place {
  #open = [];

  /** "'", '"', or "" for outside of quotes. */
  get quote() {
    const last = this.#open.at(-1);
    return last === "'" || last === '"' ? last : "";
  }

  read(text) {
    for (let i = 0; i < text.length; i++) {
      const c = text[i];
      const quote = this.quote;
      if (quote === "'") {
        if (c === "'") this.#open.pop();
      } else if (c === "\\") {
        i++;
      } else if (c === '"') {
        if (quote) this.#open.pop();
        else this.#open.push('"');
      } else if (c === "'" && !quote) {
        this.#open.push("'");
      } else if (c === "$" && text[i + 1] === "(") {
        this.#open.push("(");
        i++;
      } else if (c === "(" && !quote) {
        this.#open.push("(");
      } else if (c === ")" && this.#open.at(-1) === "(") {
        this.#open.pop();
      }
    }
  }
}

function interpolated(value, quote) {
  if (Array.isArray(value)) return value.map((item) => interpolated(item, quote)).join(" ");
  if (value && typeof value === "object" && typeof value.raw === "string") return value.raw;
  if (value && typeof value === "object" && typeof value.name === "string" && isFed(value)) {
    return inside(value.name, quote); // a file of Bun.file()
  }
  return inside(String(value), quote);
}

function inside(text, quote) {
  if (text.includes("\0")) throw new TypeError("a word of a command cannot hold a null byte");
  if (quote === '"') return text.replace(/[\\"$`]/g, "\\$&");
  if (quote === "'") return text.replaceAll("'", "'\\''");
  return quoted(text);
}

const isFed = (value) =>
  value instanceof Response ||
  value instanceof Blob ||
  value instanceof ReadableStream ||
  value instanceof ArrayBuffer ||
  ArrayBuffer.isView(value);

async function contents(value) {
  if (ArrayBuffer.isView(value))
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  return Buffer.from(
    await (
      value instanceof Response || value instanceof Blob ? value : new Response(value)
    ).arrayBuffer(),
  );
}

/** `a{b,c}` as ["ab", "ac"], nested and several, as a shell expands them. */
function braces(pattern) {
  for (let start = 0; start < pattern.length; start++) {
    if (pattern[start] === "\\") start++;
    else if (pattern[start] === "{") {
      const group = groupAt(pattern, start);
      if (group && group.parts.length > 1) {
        const before = pattern.slice(0, start);
        const after = pattern.slice(group.end + 1);
        return group.parts.flatMap((part) => braces(before + part + after));
      }
    }
  }
  return [pattern];
}

function groupAt(pattern, start) {
  const parts = [];
  let depth = 0;
  let from = start + 1;
  for (let i = start; i < pattern.length; i++) {
    const c = pattern[i];
    if (c === "\\") i++;
    else if (c === "{") depth++;
    else if (c === "," && depth === 1) {
      parts.push(pattern.slice(from, i));
      from = i + 1;
    } else if (c === "}" && --depth === 0) {
      parts.push(pattern.slice(from, i));
      return { parts, end: i };
    }
  }
  return undefined;
}
