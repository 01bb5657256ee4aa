/** Types of imports.mjs, for the tests. */
export interface Import {
  file: string;
  line: number;
  target: string;
  typeOnly: boolean;
}
export const FLOORS: readonly (readonly string[])[];
export function importsOf(file: string, text: string): Import[];
export function judge(one: Import): string | null;
export function checkImports(): { files: number; problems: string[] };
