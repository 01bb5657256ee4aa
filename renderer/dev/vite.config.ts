/**
 * Builds the window with the invented lab: `npx vite build -c renderer/dev/vite.config.ts`, then `vite preview`.
 */
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  // The real host's worker has no place here.
  plugins: [
    {
      name: "no-browser-host",
      enforce: "pre",
      load: (id) =>
        id.endsWith("renderer/browser/bridge.ts") ? "export const browserBridge = () => null;" : null,
    },
    svelte(),
  ],
  base: "./",
  build: { outDir: "../../dist/dev", emptyOutDir: true, assetsInlineLimit: 0 },
});
