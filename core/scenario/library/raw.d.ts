/** Scenario files are bundled as text. */
declare module "*.jsonc?raw" {
  const text: string;
  export default text;
}
