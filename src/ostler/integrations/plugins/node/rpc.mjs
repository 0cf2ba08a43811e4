// JSON-RPC 2.0 over two pipes, one message a line. Both sides call and are called.
import { Buffer } from "node:buffer";
import fs from "node:fs";
import net from "node:net";

/** What a plugin said went wrong; `code` tells it from a fault of the host. */
export const THREW = 1;
const FAULT = -32603;
const UNKNOWN_METHOD = -32601;

/** An error the other side answered with. `data` is whatever it added. */
export class RemoteError extends Error {
  constructor({ message, data }) {
    super(message);
    this.name = "Error";
    Object.defineProperty(this, "data", { value: data, enumerable: false });
  }
}

/** Thrown by a method to answer with a plugin's own words. */
export class Thrown extends Error {
  constructor(message, data) {
    super(message);
    this.data = data;
  }
}

/**
 * @param {number} input descriptor to read from
 * @param {number} output descriptor to write to; writing blocks, so that nothing is lost when a
 *   plugin ends the process
 * @param {Record<string, (params: any) => any>} methods answered to the other side, by name
 * @param {() => void} onEnd called when the other side is gone
 */
export function connect(input, output, methods, onEnd) {
  const waiting = new Map();
  let last = 0;

  function send(message) {
    const line = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");
    for (let at = 0; at < line.length;) {
      try {
        at += fs.writeSync(output, line, at);
      } catch (error) {
        if (error.code === "EPIPE") return onEnd();
        if (error.code !== "EAGAIN") throw error;
      }
    }
  }

  async function answer({ id, method, params }) {
    try {
      const run = methods[method];
      if (!run) throw Object.assign(new Error(`no method ${method}`), { code: UNKNOWN_METHOD });
      const result = await run(params ?? {});
      if (id !== undefined) send({ id, result: result === undefined ? null : result });
    } catch (error) {
      if (id === undefined) console.error(`${method}: ${told(error)}`);
      else send({ id, error: failure(error) });
    }
  }

  function take(message) {
    if (message.method) return void answer(message);
    const call = waiting.get(message.id);
    if (!call) return;
    waiting.delete(message.id);
    if (message.error) call.reject(new RemoteError(message.error));
    else call.resolve(message.result);
  }

  listen(input, take, onEnd);
  return {
    /** Call the other side; rejects with RemoteError. */
    call(method, params) {
      const id = ++last;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        send({ id, method, params });
      });
    },
    /** Tell the other side, which does not answer. */
    notify: (method, params) => send({ method, params }),
  };
}

function failure(error) {
  if (error instanceof Thrown) {
    return { code: THREW, message: error.message, data: error.data };
  }
  return { code: error?.code === UNKNOWN_METHOD ? UNKNOWN_METHOD : FAULT, message: told(error) };
}

/** What was thrown, as a person reads it: the message where there is one. */
export function told(error) {
  if (error instanceof Error || (error && typeof error.message === "string")) {
    return error.message || error.name || "Error";
  }
  if (typeof error === "string") return error;
  try {
    return JSON.stringify(error) ?? String(error);
  } catch {
    return String(error);
  }
}

function listen(input, take, onEnd) {
  let rest = [];
  const onData = (chunk) => {
    let start = 0;
    for (let end; (end = chunk.indexOf(10, start)) >= 0; start = end + 1) {
      rest.push(chunk.subarray(start, end));
      const line = Buffer.concat(rest).toString("utf8");
      rest = [];
      take(JSON.parse(line));
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  };
  if (process.versions.bun) {
    (async () => {
      for await (const chunk of globalThis.Bun.file(input).stream()) onData(Buffer.from(chunk));
      onEnd();
    })();
    return;
  }
  const socket = new net.Socket({ fd: input, readable: true, writable: false });
  socket.on("data", onData);
  socket.on("close", onEnd);
  socket.on("error", onEnd);
}
