// Where Node or Bun starts. Messages go over two pipes of their own: standard output belongs to
// plugins and to what they run, and is a log.
import { installBun } from "./bun.mjs";
import { bundles } from "./bundles.mjs";
import { serve } from "./host.mjs";
import { install } from "./loader.mjs";
import { useZod } from "./schema.mjs";

const [input, output, packages, cache, directory] = process.argv.slice(2);

if (process.versions.bun) {
  // Python set it for Bun's own search, which has read it; what plugins run gets the user's.
  const users = process.env.OSTLER_NODE_PATH;
  delete process.env.OSTLER_NODE_PATH;
  if (users) process.env.NODE_PATH = users;
  else delete process.env.NODE_PATH;
}
if (!process.versions.bun) {
  installBun();
  install({ packages, cache, bundles: bundles(packages) });
}
process.chdir(directory);
const [{ z }, { createOpencodeClient }] = await Promise.all([
  import("zod"),
  import("@opencode-ai/sdk/client"),
]);
useZod(z);
serve(Number(input), Number(output), { packages, createOpencodeClient });
