/** `npm start`: this file runs on any Node and before anything is installed; lib/start.mjs does the work. */
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Quadrant needs Node 20.19 or newer, and this is ${process.versions.node}.`);
  process.exit(1);
}
const { start } = await import("./lib/start.mjs");
// Not process.exitCode: see build/test.mjs.
const code = await start(process.argv.slice(2));
// With 0 the page may go on being served.
if (code !== 0) process.exit(code);
