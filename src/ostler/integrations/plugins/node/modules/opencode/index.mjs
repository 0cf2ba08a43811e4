export * from "./tool.mjs";
export { default } from "./tool.mjs";
