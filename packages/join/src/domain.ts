/** What a member shares its fate with (Z16), from the widest to the narrowest. */

/** `own`: its machine or browser profile. At most 128 characters, the zone's own at the front. */
export function failureDomain(zone: string | undefined, own: string): string {
  const domain = zone === undefined ? own : `zone ${zone}/${own}`;
  return domain.slice(0, 128);
}

/** Throws `TypeError` for what names no zone. */
export function checkZone(zone: unknown): void {
  if (zone === undefined || (typeof zone === 'string' && /^[A-Za-z0-9._-]{1,48}$/.test(zone)))
    return;
  throw new TypeError(
    `Cannot join in zone ${JSON.stringify(zone)}: wanted 1 to 48 characters of A-Z a-z 0-9 . _ -`,
  );
}
