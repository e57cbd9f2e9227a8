/** What a member shares its fate with (Z16), from the widest to the narrowest. */

import type { Kind } from '@quorate/contracts/options';

/** What names a zone. */
export const zoneKind: Kind = {
  wanted: '1 to 48 characters of A-Z a-z 0-9 . _ -',
  fits: (value) => typeof value === 'string' && /^[A-Za-z0-9._-]{1,48}$/.test(value),
};

/** `own`: its machine or browser profile. At most 128 characters, the zone's own at the front. */
export function failureDomain(zone: string | undefined, own: string): string {
  const domain = zone === undefined ? own : `zone ${zone}/${own}`;
  return domain.slice(0, 128);
}
