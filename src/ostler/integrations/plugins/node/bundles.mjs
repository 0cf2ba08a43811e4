// What nearly every plugin imports, in one file each: Node takes 0.2 s for zod's eighty.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

/** Bundle by the file it stands for, in `node_modules`. */
const BUNDLES = {
  "zod/index.js": "zod.mjs",
  "zod/v4/index.js": "zod.mjs",
  "@opencode-ai/sdk/dist/client.js": "sdk-client.mjs",
};

/**
 * @param {string} packages folder of the host's own packages
 * @returns {Record<string, string>} URL of a bundle by the URL of the file it stands for; made
 *   where they are not there, and none where they cannot be
 */
export function bundles(packages) {
  const folder = path.join(packages, "bundles");
  try {
    if (!fs.existsSync(folder)) build(packages, folder);
  } catch (error) {
    console.error(`bundles: ${error.message}`);
    return {};
  }
  const url = (...parts) => pathToFileURL(path.join(packages, ...parts)).href;
  return Object.fromEntries(
    Object.entries(BUNDLES).map(([file, bundle]) => [
      url("node_modules", file),
      url("bundles", bundle),
    ]),
  );
}

/** Renamed into its place when it is whole: another process may be doing the same. */
function build(packages, folder) {
  const part = `${folder}.${process.pid}`;
  const { buildSync } = createRequire(path.join(packages, "package.json"))("esbuild");
  for (const [file, bundle] of Object.entries(BUNDLES)) {
    buildSync({
      absWorkingDir: packages,
      bundle: true,
      entryPoints: [`node_modules/${file}`],
      format: "esm",
      logLevel: "silent",
      outfile: path.join(part, bundle),
      platform: "node",
      target: "node20",
    });
  }
  try {
    fs.renameSync(part, folder);
  } catch (error) {
    fs.rmSync(part, { recursive: true });
    if (!fs.existsSync(folder)) throw error;
  }
}
