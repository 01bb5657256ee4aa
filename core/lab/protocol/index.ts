/**
 * The one thing a client imports: messages, commands, views, configuration, and the pure tables (event kinds).
 */
export * from "../../trace/events.ts";
export * from "./commands.ts";
export * from "./config.ts";
export * from "./experiments.ts";
export * from "./files.ts";
export * from "./messages.ts";
export * from "./pc.ts";
export * from "./stories.ts";
export * from "./trace-formats.ts";
export * from "./views.ts";
