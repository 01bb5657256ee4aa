/**
 * MMX, SSE to SSE4.2 and their relatives by name: none is executed. SDM vol. 2, appendix A, tables.
 */
import type { Row } from "../row.ts";

export const VECTOR: readonly Row[] = [];
