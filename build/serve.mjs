/** Serves the built browser edition in the foreground, for tests: node build/serve.mjs [port]. */
import { serve } from "./lib/serve.mjs";

const { url } = await serve({ port: Number(process.argv[2] ?? 0) });
console.log(`Quadrant (browser edition): ${url}`);
