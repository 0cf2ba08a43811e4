// A plugin's `auth` and `provider` hooks: what they describe, and their functions by handle.
import { Buffer } from "node:buffer";
import { Thrown, told } from "./rpc.mjs";

/** What Python needs to know: which of a prompt's functions there are, the rest as it is. */
export function authDescription(auth) {
  return {
    provider: auth.provider,
    loader: typeof auth.loader === "function",
    methods: (auth.methods ?? []).map(({ type, label, prompts, authorize }) => ({
      type,
      label,
      authorize: typeof authorize === "function",
      prompts: (prompts ?? []).map(({ validate, condition, ...prompt }) => ({
        ...prompt,
        validate: typeof validate === "function",
        condition: typeof condition === "function",
      })),
    })),
  };
}

/** Functions that Python holds by number. */
class Handles {
  #held = new Map();
  #last = 0;

  add(value) {
    this.#held.set(++this.#last, value);
    return this.#last;
  }
  get(handle) {
    const held = this.#held.get(handle);
    if (!held) throw new Thrown("this sign-in or provider belongs to a host that has ended");
    return held;
  }
  take(handle) {
    const held = this.get(handle);
    this.#held.delete(handle);
    return held;
  }
}

/**
 * @param {ReturnType<import("./rpc.mjs").connect>} peer
 * @param {(plugin: number) => {hooks: object[]}} pluginOf
 * @param {import("./streams.mjs").Bodies} bodies
 */
export function authMethods(peer, pluginOf, bodies) {
  const pending = new Handles();
  const fetches = new Handles();
  const aborts = new Map();
  const authOf = ({ plugin, index }) =>
    pluginOf(plugin).hooks.filter((given) => given.auth)[index].auth;
  const promptOf = (params) => authOf(params).methods[params.method].prompts[params.prompt];
  const said = (work) => async (params) => {
    try {
      return await work(params);
    } catch (error) {
      throw new Thrown(told(error));
    }
  };

  return {
    "auth.authorize": said(async (params) => {
      const method = authOf(params).methods[params.method];
      const { callback, ...answer } = (await method.authorize(params.inputs ?? {})) ?? {
        type: "failed",
      };
      return typeof callback === "function" ? { ...answer, handle: pending.add(callback) } : answer;
    }),
    "auth.callback": said(async ({ handle, code }) => {
      const callback = pending.take(handle);
      return await (code == null ? callback() : callback(code));
    }),
    "auth.validate": said(
      async (params) => (await promptOf(params).validate(params.value)) ?? null,
    ),
    "auth.condition": said(async (params) =>
      Boolean(await promptOf(params).condition(params.inputs)),
    ),
    "auth.load": said(async (params) => {
      const stored = () => peer.call("auth.stored", { loader: params.loader });
      const { fetch, ...options } = (await authOf(params).loader(stored, params.provider)) ?? {};
      const plain = Object.entries(options).filter(([, value]) => typeof value !== "function");
      return {
        options: Object.fromEntries(plain),
        fetch: typeof fetch === "function" ? fetches.add(fetch) : null,
      };
    }),
    "auth.unload": ({ fetch }) => void (fetch && fetches.take(fetch)),
    "auth.fetch": said(async ({ handle, call, method, url, headers, body }) => {
      const controller = new AbortController();
      aborts.set(call, controller);
      try {
        const init = { method, headers, signal: controller.signal };
        // What SDKs send is text, and plugins parse it.
        if (body !== null) init.body = textOrBytes(Buffer.from(body, "base64"));
        const response = await fetches.get(handle)(url, init);
        return {
          status: response.status,
          headers: Object.fromEntries(response.headers),
          stream: bodies.add(response.body),
        };
      } finally {
        aborts.delete(call);
      }
    }),
    "auth.abort": ({ call }) => aborts.get(call)?.abort(),
    "provider.models": said(async ({ plugin, index, provider, auth }) => {
      const hook = pluginOf(plugin).hooks.filter((given) => given.provider)[index].provider;
      return await hook.models(provider, { auth: auth ?? undefined });
    }),
  };
}

function textOrBytes(buffer) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(buffer);
  } catch {
    return buffer;
  }
}

export const providerDescription = (provider) => ({
  id: provider.id,
  models: typeof provider.models === "function",
});
