/** Numbers of 16 bits (IEEE 754 binary16), as canonical CBOR writes all that they hold exactly. */

/** The bits of a half float, or null where it takes more. -0, NaN and infinities have theirs. */
export function halfOf(value: number): number | null {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude === Infinity) return sign | 0x7c00;
  if (magnitude > 65_504) return null;
  // Subnormal halves count in steps of 2^-24, normal ones in 1024ths of their power of two.
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)));
  const steps = magnitude * 2 ** (10 - exponent);
  if (!Number.isInteger(steps) || steps > 0x7ff) return null;
  return sign | (steps < 0x400 ? steps : ((exponent + 15) << 10) | (steps - 0x400));
}

/** The number that these 16 bits stand for. */
export function fromHalf(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (fraction + 0x400) * 2 ** (exponent - 25);
}
