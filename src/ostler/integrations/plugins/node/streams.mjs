// HTTP through the other side: bodies are read piece by piece, each when the reader asks for it.
import { Buffer } from "node:buffer";

const NO_BODY = new Set([101, 204, 205, 304]);

/**
 * `fetch` through Python. Requests to whatever address go to Ostler's own API.
 * @param {ReturnType<import("./rpc.mjs").connect>} peer
 */
export function relayedFetch(peer) {
  return async (input, init) => {
    const request = new Request(input, init);
    request.signal.throwIfAborted();
    const url = new URL(request.url);
    const body = Buffer.from(await request.arrayBuffer());
    const asked = peer.call("fetch", {
      method: request.method,
      url: url.pathname + url.search,
      headers: Object.fromEntries(request.headers),
      body: body.toString("base64"),
    });
    const answer = await unlessAborted(request.signal, asked, ({ stream }) =>
      peer.notify("stream.cancel", { stream }),
    );
    const empty = NO_BODY.has(answer.status) || request.method === "HEAD";
    const stream = pulled(peer, answer.stream, request.signal);
    if (empty) stream.cancel().catch(() => {});
    return new Response(empty ? null : stream, { status: answer.status, headers: answer.headers });
  };
}

/** An answer that comes too late is let go. */
function unlessAborted(signal, asked, letGo) {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    asked.then((answer) => (signal.aborted ? letGo(answer) : resolve(answer)), reject);
  });
}

/**
 * Send what anybody fetches from the server's address the same way: the SDK reads event streams with
 * the global `fetch`, whatever it was given.
 */
export function relayServer(serverUrl, relayed) {
  const { origin } = new URL(serverUrl);
  const before = globalThis.fetch;
  const fetch = (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    return URL.canParse(url) && new URL(url).origin === origin
      ? relayed(input, init)
      : before(input, init);
  };
  globalThis.fetch = Object.assign(fetch, before);
}

/** A body on the other side as a stream. */
function pulled(peer, id, signal) {
  return new ReadableStream(
    {
      start(controller) {
        signal?.addEventListener("abort", () => {
          peer.notify("stream.cancel", { stream: id });
          try {
            controller.error(signal.reason);
          } catch {
            // It had ended already.
          }
        });
      },
      async pull(controller) {
        const { data } = await peer.call("stream.read", { stream: id });
        if (signal?.aborted) return;
        if (data === null) controller.close();
        else controller.enqueue(new Uint8Array(Buffer.from(data, "base64")));
      },
      cancel() {
        peer.notify("stream.cancel", { stream: id });
      },
    },
    { highWaterMark: 0 },
  );
}

/** Bodies on this side, which Python reads: the answers of a plugin's own `fetch`. */
export class Bodies {
  #readers = new Map();
  #last = 0;

  add(stream) {
    const id = ++this.#last;
    if (stream) this.#readers.set(id, stream.getReader());
    return id;
  }

  async read(id) {
    const reader = this.#readers.get(id);
    if (!reader) return { data: null };
    try {
      const { done, value } = await reader.read();
      if (!done) return { data: Buffer.from(value).toString("base64") };
      this.#readers.delete(id);
      return { data: null };
    } catch (error) {
      this.#readers.delete(id);
      throw error;
    }
  }

  async cancel(id) {
    const reader = this.#readers.get(id);
    this.#readers.delete(id);
    await reader?.cancel();
  }
}
