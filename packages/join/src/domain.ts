/** What a member shares its fate with (Z16), from the widest to the narrowest. */

/** `own`: its machine or browser profile. At most 128 characters, the zone's own at the front. */
export function failureDomain(zone: string | undefined, own: string): string {
  const domain = zone === undefined ? own : `zone ${zone}/${own}`;
  return domain.slice(0, 128);
}
