// The other way of writing a tool: it has an id of its own, and may say what it is only when asked.

/** @type {unique symbol} Marks what `Tool.define` returned, whichever copy of this module did. */
const DEFINED = Symbol.for("ostler.tool");

export const Tool = {
  /**
   * @param {string} id
   * @param {object | ((context: object) => Promise<object>)} definition
   *   `{description, parameters, execute}`, or a function that returns it
   */
  define(id, definition) {
    const init = async (context = {}) =>
      typeof definition === "function" ? await definition(context) : definition;
    return { [DEFINED]: true, id, init };
  },
};

export const define = Tool.define;
export { tool } from "@opencode-ai/plugin/tool";
export default Tool;
