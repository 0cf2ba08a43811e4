// The parts of `Bun` that plugins and tools use, under Node. docs/plugins-typescript.md lists them.
import { Buffer } from "node:buffer";
import { spawn as nodeSpawn, spawnSync as nodeSpawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Readable, Writable } from "node:stream";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { makeShell } from "./shell.mjs";

const MIME = {
  ".css": "text/css;charset=utf-8",
  ".csv": "text/csv;charset=utf-8",
  ".gif": "image/gif",
  ".html": "text/html;charset=utf-8",
  ".jpg": "image/jpeg",
  ".js": "text/javascript;charset=utf-8",
  ".json": "application/json;charset=utf-8",
  ".md": "text/markdown",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".ts": "text/javascript;charset=utf-8",
  ".txt": "text/plain;charset=utf-8",
  ".webp": "image/webp",
};

const pathOf = (place) =>
  place instanceof URL || String(place).startsWith("file://")
    ? fileURLToPath(place)
    : String(place);

/** A file by its path, read when it is asked for; it need not exist. */
class BunFile extends Blob {
  #path;

  constructor(place, { type } = {}) {
    super([], { type });
    this.#path = pathOf(place);
  }
  get name() {
    return this.#path;
  }
  get type() {
    return super.type || MIME[path.extname(this.#path).toLowerCase()] || "application/octet-stream";
  }
  get size() {
    return fs.statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }
  get lastModified() {
    return fs.statSync(this.#path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
  }
  async exists() {
    return fs.statSync(this.#path, { throwIfNoEntry: false })?.isFile() ?? false;
  }
  async bytes() {
    return new Uint8Array(await fs.promises.readFile(this.#path));
  }
  async arrayBuffer() {
    return (await this.bytes()).buffer;
  }
  async text() {
    return fs.promises.readFile(this.#path, "utf8");
  }
  async json() {
    return JSON.parse(await this.text());
  }
  stream() {
    return Readable.toWeb(fs.createReadStream(this.#path));
  }
  slice(start, end, type) {
    return new Blob([fs.readFileSync(this.#path)]).slice(start, end, type);
  }
  async write(data) {
    return write(this, data);
  }
  async delete() {
    await fs.promises.unlink(this.#path);
  }
  unlink() {
    return this.delete();
  }
  stat() {
    return fs.promises.stat(this.#path);
  }
  writer() {
    const parts = [];
    return {
      write: (data) => parts.push(data),
      flush: () => {},
      end: () => write(this, new Blob(parts)),
    };
  }
}

const file = (place, options) => new BunFile(place, options);

/** Bytes written; folders on the way are made. */
async function write(place, data) {
  const target = place instanceof BunFile ? place.name : pathOf(place);
  const bytes = await bytesOf(data);
  await fs.promises.mkdir(path.dirname(target), { recursive: true });
  await fs.promises.writeFile(target, bytes);
  return bytes.length;
}

async function bytesOf(data) {
  if (typeof data === "string") return Buffer.from(data);
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return Buffer.from(data);
  if (data instanceof Blob || data instanceof Response)
    return Buffer.from(await data.arrayBuffer());
  if (data instanceof ReadableStream) return Buffer.from(await new Response(data).arrayBuffer());
  if (Array.isArray(data)) return Buffer.from(await new Blob(data).arrayBuffer());
  return Buffer.from(String(data));
}

/** The program a name means, by PATH; null for none. */
function which(name, { PATH = process.env.PATH ?? "", cwd = process.cwd() } = {}) {
  const candidates = name.includes("/")
    ? [path.resolve(cwd, name)]
    : PATH.split(path.delimiter)
        .filter(Boolean)
        .map((folder) => path.join(folder, name));
  const runs = (candidate) => {
    try {
      fs.accessSync(candidate, fs.constants.X_OK);
      return fs.statSync(candidate).isFile();
    } catch {
      return false;
    }
  };
  return candidates.find(runs) ?? null;
}

const sleep = (until) =>
  after(Math.max(0, until instanceof Date ? until - Date.now() : until)).then(() => undefined);
const sleepSync = (milliseconds) =>
  void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);

// ── processes ──────────────────────────────────────────────────────────────────────────────────

const commandOf = (first, options) =>
  Array.isArray(first) ? [first, options ?? {}] : [first.cmd, first];

const PASSED = new Set(["pipe", "inherit", "ignore"]);
const outlet = (wanted, usual) =>
  wanted === null ? "ignore" : PASSED.has(wanted) ? wanted : usual;
const isData = (input) => input != null && !PASSED.has(input) && typeof input !== "number";

/** A running program: `stdout` and `stderr` are web streams, `exited` is a promise of its status. */
function spawn(first, second) {
  const [cmd, options] = commandOf(first, second);
  const child = nodeSpawn(cmd[0], cmd.slice(1), {
    cwd: options.cwd,
    env: options.env ?? process.env,
    signal: options.signal,
    timeout: options.timeout,
    stdio: [
      isData(options.stdin) ? "pipe" : outlet(options.stdin, "ignore"),
      outlet(options.stdout, "pipe"),
      outlet(options.stderr, "inherit"),
    ],
  });
  const exited = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      options.onExit?.(handle, code, signal, undefined);
      resolve(code ?? 128 + (os.constants.signals[signal] ?? 0));
    });
  });
  exited.catch(() => {}); // whoever awaits it is told
  if (isData(options.stdin)) {
    child.stdin.on("error", () => {});
    bytesOf(options.stdin).then((bytes) => child.stdin.end(bytes));
  }
  const handle = {
    pid: child.pid,
    exited,
    stdin: options.stdin === "pipe" ? sink(child.stdin) : undefined,
    stdout: readable(child.stdout),
    stderr: readable(child.stderr),
    get exitCode() {
      return child.exitCode;
    },
    get signalCode() {
      return child.signalCode;
    },
    get killed() {
      return child.killed || child.exitCode !== null;
    },
    kill: (signal) => child.kill(signal),
    ref: () => child.ref(),
    unref: () => child.unref(),
  };
  return handle;
}

function sink(stream) {
  return {
    write: (data) => stream.write(data),
    flush: () => {},
    end: (data) => stream.end(data),
    getWriter: () => Writable.toWeb(stream).getWriter(),
  };
}

/** A web stream with Bun's `.text()` and its like. */
function readable(stream) {
  if (!stream) return undefined;
  const web = Readable.toWeb(stream);
  for (const kind of ["text", "json", "arrayBuffer", "blob"]) {
    web[kind] ??= () => new Response(web)[kind]();
  }
  web.bytes ??= async () => new Uint8Array(await new Response(web).arrayBuffer());
  return web;
}

function spawnSync(first, second) {
  const [cmd, options] = commandOf(first, second);
  const input = isData(options.stdin) ? options.stdin : undefined;
  const done = nodeSpawnSync(cmd[0], cmd.slice(1), {
    cwd: options.cwd,
    env: options.env ?? process.env,
    input,
    timeout: options.timeout,
    maxBuffer: 1 << 30,
    stdio: [
      input ? "pipe" : outlet(options.stdin, "ignore"),
      outlet(options.stdout, "pipe"),
      outlet(options.stderr, "pipe"),
    ],
  });
  if (done.error) throw done.error;
  const exitCode = done.status ?? 128 + (os.constants.signals[done.signal] ?? 0);
  return {
    exitCode,
    success: exitCode === 0,
    stdout: done.stdout,
    stderr: done.stderr,
    pid: done.pid,
    signalCode: done.signal ?? undefined,
  };
}

/** `globalThis.Bun`, and what `import … from "bun"` gives. */
export function installBun() {
  const Bun = {
    $: makeShell(),
    argv: process.argv,
    cwd: () => process.cwd(),
    env: process.env,
    file,
    fileURLToPath,
    main: process.argv[1],
    nanoseconds: () => Number(process.hrtime.bigint()),
    pathToFileURL,
    randomUUIDv7,
    sleep,
    sleepSync,
    spawn,
    spawnSync,
    stderr: file("/dev/stderr"),
    stdout: file("/dev/stdout"),
    which,
    write,
  };
  Object.defineProperty(globalThis, "Bun", { value: Bun, configurable: true, writable: true });
  return Bun;
}

function randomUUIDv7() {
  const bytes = crypto.getRandomValues(Buffer.alloc(16));
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = bytes.toString("hex");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
}
