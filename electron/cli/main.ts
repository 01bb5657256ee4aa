/** The entry of `npx quadrant`: the command line in Node. */
import { main } from "./cli.ts";
import { NODE_IO } from "./io.ts";

process.exitCode = await main(process.argv.slice(2), NODE_IO).catch((error: unknown) => {
  NODE_IO.err(`quadrant: a bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return 3;
});
