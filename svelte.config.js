/** Svelte's settings, read by Vite's plugin and by svelte-check. */
export default {
  compilerOptions: { runes: true },
};
