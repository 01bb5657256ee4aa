/**
 * An x87 register as a person reads it: the encoding's class (SDM vol. 1, tables 4-3 and 8-3) or its value, rounded to
 * what a double can say.
 */
import type { FpuRegister } from "../../../core/lab/protocol/index.ts";

/** Of the tag word. */
export const TAGS = ["valid", "zero", "special", "empty"] as const;

const BIAS = 16383;

/** Decimal text of a register, about 17 digits; beyond a double's range in scientific notation by its logarithm. */
export function decimalOf({ se, hi, lo }: FpuRegister): string {
  const sign = se >= 0x8000 ? "-" : "";
  const exp = se & 0x7fff;
  if (exp === 0x7fff) {
    if (hi < 0x8000_0000) return "unsupported";
    if (hi === 0x8000_0000 && lo === 0) return `${sign}infinity`;
    return hi >= 0xc000_0000 ? `${sign}quiet NaN` : `${sign}signalling NaN`;
  }
  if (hi === 0 && lo === 0) return exp === 0 ? `${sign}0` : "unsupported";
  if (exp !== 0 && hi < 0x8000_0000) return "unsupported";
  const significand = hi / 2 ** 31 + lo / 2 ** 63;
  const power = Math.max(exp, 1) - BIAS;
  if (power > -1000 && power < 1000) return `${sign}${significand * 2 ** power}`;
  const log = Math.log10(significand) + power * Math.log10(2);
  const whole = Math.floor(log);
  return `${sign}${(10 ** (log - whole)).toFixed(9)}e${whole < 0 ? "" : "+"}${whole}`;
}
