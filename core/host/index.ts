/** The host's loop; `electron/host` and `renderer/browser` give it a clock and a port. */
export * from "./host.ts";
