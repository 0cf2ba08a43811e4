// What `@opencode-ai/plugin` has at run time; everything else of it is types.
import { z } from "zod";

/** A tool, as it is written: the types are what the function is for. */
export function tool(definition) {
  return definition;
}
tool.schema = z;
