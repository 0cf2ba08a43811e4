// `import { $ } from "bun"` under Node: the parts of Bun that there are.
const {
  $,
  file,
  write,
  which,
  sleep,
  sleepSync,
  env,
  spawn,
  spawnSync,
  argv,
  main,
  pathToFileURL,
  fileURLToPath,
} = globalThis.Bun;

export {
  $,
  argv,
  env,
  file,
  fileURLToPath,
  main,
  pathToFileURL,
  sleep,
  sleepSync,
  spawn,
  spawnSync,
  which,
  write,
};
export default globalThis.Bun;
