/**
 * Comparison and examination (SDM vol. 2: FCOM, FUCOM, FCOMI, FTST, FXAM).
 */
import {
  compareSignificands,
  denormals,
  FINITE,
  INF,
  isNan,
  type Num,
  QNAN,
  UNSUPPORTED,
  ZERO,
} from "./number.ts";
import { C0, C1, C2, C3, IE } from "./words.ts";

export const UNORDERED = C3 | C2 | C0;

/**
 * a against b as C3, C2, C0 and the exceptions. `quiet`: a quiet NaN is no invalid operand (FUCOM).
 */
export function compare(a: Num, b: Num, quiet: boolean): number {
  if (isNan(a) || isNan(b)) {
    const silent = quiet && (a.cls === QNAN || !isNan(a)) && (b.cls === QNAN || !isNan(b));
    return silent ? UNORDERED : UNORDERED | IE;
  }
  const flags = denormals(a, b);
  const order = orderOf(a, b);
  return order > 0 ? flags : order < 0 ? flags | C0 : flags | C3;
}

function orderOf(a: Num, b: Num): number {
  if (a.cls === ZERO && b.cls === ZERO) return 0;
  if (a.cls === ZERO) return b.sign === 0 ? -1 : 1;
  if (b.cls === ZERO || a.sign !== b.sign) return a.sign === 0 ? 1 : -1;
  let order: number;
  if (a.cls === INF || b.cls === INF) order = (a.cls === INF ? 1 : 0) - (b.cls === INF ? 1 : 0);
  else order = a.exp === b.exp ? compareSignificands(a, b) : a.exp - b.exp;
  return a.sign === 0 ? order : -order;
}

/** The class of a register as C3, C2, C0, its sign as C1 (SDM vol. 2, table of FXAM). */
export function examine(n: Num, empty: boolean): number {
  const sign = n.sign === 1 ? C1 : 0;
  if (empty) return sign | C3 | C0;
  switch (n.cls) {
    case UNSUPPORTED:
      return sign;
    case ZERO:
      return sign | C3;
    case INF:
      return sign | C2 | C0;
    case FINITE:
      return sign | C2 | (n.denormal ? C3 : 0);
    default:
      return sign | C0;
  }
}
