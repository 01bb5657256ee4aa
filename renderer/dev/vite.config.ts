/**
 * Builds the window with the invented lab: `npx vite build -c renderer/dev/vite.config.ts`, then `vite preview`.
 */
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  plugins: [svelte()],
  base: "./",
  build: { outDir: "../../dist/dev", emptyOutDir: true, assetsInlineLimit: 0 },
});
