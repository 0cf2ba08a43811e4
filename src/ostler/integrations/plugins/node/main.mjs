// Where Node or Bun starts. Messages go over two pipes of their own: standard output belongs to
// plugins and to what they run, and is a log.
const [input, output, packages, cache, directory] = process.argv.slice(2);

if (process.versions.bun) {
  // Python set it for Bun's own search, which has read it; what plugins run gets the user's.
  const users = process.env.OSTLER_NODE_PATH;
  delete process.env.OSTLER_NODE_PATH;
  if (users) process.env.NODE_PATH = users;
  else delete process.env.NODE_PATH;
} else {
  const { install } = await import("./loader.mjs");
  const { installBun } = await import("./bun.mjs");
  installBun();
  install({ packages, cache });
}
process.chdir(directory);
const { serve } = await import("./host.mjs");
serve(Number(input), Number(output), packages);
