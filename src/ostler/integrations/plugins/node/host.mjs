// The host: plugins and tools of one directory, at Python's call.
import { authDescription, authMethods, providerDescription } from "./auth.mjs";
import {
  callHook,
  imported,
  LoadError,
  loadPlugin,
  located,
  pluginDescription,
  stemOf,
  tellEvent,
} from "./plugins.mjs";
import { syntaxErrorIn } from "./compile.mjs";
import { connect, Thrown } from "./rpc.mjs";
import { Bodies, relayedFetch, relayServer } from "./streams.mjs";
import { described, toolRunner, toolsOf } from "./tools.mjs";

/**
 * @param {number} input descriptor of Python's messages
 * @param {number} output descriptor for ours
 * @param {{packages: string, createOpencodeClient: Function}} brought folder of the host's own
 *   packages, and what of them is needed here
 */
export function serve(input, output, { packages, createOpencodeClient }) {
  const bodies = new Bodies();
  const plugins = new Map();
  const files = new Map();
  let surroundings;

  const pluginOf = (number) => {
    const plugin = plugins.get(number);
    if (!plugin) throw new Thrown("this plugin is not loaded");
    return plugin;
  };
  const importOf = (file) => imported(file, (entry) => syntaxErrorIn(packages, entry));
  const toolOf = ({ plugin, file, id }) => {
    const tool = (plugin === undefined ? files.get(file) : pluginOf(plugin).tools)?.get(id);
    if (!tool) throw new Thrown(`the tool ${id} is not there any more`);
    return tool;
  };

  const methods = {
    ping: () => ({ pid: process.pid }),
    begin: (given) => {
      surroundings = given;
      return { memory: process.memoryUsage().rss };
    },
    "plugin.load": async ({ number, spec, file, options }) => {
      const input = pluginInput();
      const plugin = await orLoadError(file, async () =>
        loadPlugin(await importOf(file), { spec, options }, input),
      );
      plugins.set(number, plugin);
      return {
        ...pluginDescription(plugin),
        auth: plugin.hooks
          .filter((given) => given.auth)
          .map((given) => authDescription(given.auth)),
        provider: plugin.hooks
          .filter((given) => given.provider)
          .map((given) => providerDescription(given.provider)),
      };
    },
    "tools.load": async ({ file }) => {
      const tools = await orLoadError(file, async () =>
        toolsOf(stemOf(file), await importOf(file)),
      );
      files.set(file, tools);
      return { tools: described(tools) };
    },
    hook: ({ plugin, name, input: given, output: changed }) =>
      callHook(pluginOf(plugin), name, given, changed),
    event: ({ plugins: listeners, event }) => {
      for (const number of listeners) {
        const plugin = plugins.get(number);
        if (plugin) tellEvent(plugin, event);
      }
    },
    "tool.run": (params) => runner.run(toolOf(params), params.id, params),
    "tool.abort": ({ call }) => runner.abort(call),
    "stream.read": ({ stream }) => bodies.read(stream),
    "stream.cancel": ({ stream }) => bodies.cancel(stream),
  };
  const peer = connect(input, output, methods, () => process.exit(0));
  const runner = toolRunner(peer);
  Object.assign(methods, authMethods(peer, pluginOf, bodies));

  let made;
  function pluginInput() {
    if (made) return made;
    const { directory, worktree, project, serverUrl } = surroundings;
    const relayed = relayedFetch(peer);
    relayServer(serverUrl, relayed);
    const client = createOpencodeClient({ baseUrl: serverUrl, directory, fetch: relayed });
    made = {
      client,
      project,
      directory,
      worktree,
      serverUrl: new URL(serverUrl),
      $: globalThis.Bun.$,
      experimental_workspace: { register() {} },
    };
    return made;
  }

  // A plugin's mistake outside of any call must not end the others.
  process.on("unhandledRejection", (error) =>
    console.error(`unhandled rejection: ${error?.stack ?? error}`),
  );
  process.on("uncaughtException", (error) =>
    console.error(`uncaught exception: ${error?.stack ?? error}`),
  );
  peer.notify("ready", {});
}

async function orLoadError(file, work) {
  try {
    return await work();
  } catch (error) {
    throw new Thrown(error instanceof LoadError ? error.message : located(error, file));
  }
}
