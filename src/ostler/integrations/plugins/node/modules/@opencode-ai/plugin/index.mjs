export * from "./tool.mjs";
