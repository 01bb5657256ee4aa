/**
 * Exceptions as the manual classes them: vectors, which push an error code, and what two in a row become
 * (SDM vol. 3, 6.3.1, 6.15 and table 6-5).
 */
export const DE = 0;
export const DB = 1;
export const NMI = 2;
export const BP = 3;
export const OF_TRAP = 4;
export const BR = 5;
export const UD = 6;
export const NM = 7;
export const DF = 8;
export const TS = 10;
export const NP = 11;
export const SS_FAULT = 12;
export const GP = 13;
export const PF = 14;
export const AC = 17;

export const CLASS_BENIGN = 0;
export const CLASS_CONTRIBUTORY = 1;
export const CLASS_PAGE_FAULT = 2;
export const CLASS_DOUBLE_FAULT = 3;

/** Class of an exception's vector; interrupts, external and software, are benign whatever their vector. */
export function exceptionClass(vector: number): number {
  if (vector === PF) return CLASS_PAGE_FAULT;
  if (vector === DF) return CLASS_DOUBLE_FAULT;
  if (vector === DE || (vector >= TS && vector <= GP)) return CLASS_CONTRIBUTORY;
  return CLASS_BENIGN;
}

export const COMBINE_SECOND = 0;
export const COMBINE_DOUBLE_FAULT = 1;
export const COMBINE_SHUTDOWN = 2;

/** What a second exception makes while the first is being delivered: it takes its place, #DF, or shutdown. */
export function combine(firstClass: number, secondVector: number): number {
  const second = exceptionClass(secondVector);
  if (firstClass === CLASS_DOUBLE_FAULT) return second === CLASS_BENIGN ? COMBINE_SECOND : COMBINE_SHUTDOWN;
  if (second === CLASS_BENIGN || firstClass === CLASS_BENIGN) return COMBINE_SECOND;
  if (firstClass === CLASS_CONTRIBUTORY && second === CLASS_PAGE_FAULT) return COMBINE_SECOND;
  return COMBINE_DOUBLE_FAULT;
}

/** True when the exception pushes an error code. */
export function hasErrorCode(vector: number): boolean {
  return vector === DF || (vector >= TS && vector <= PF) || vector === AC;
}
