import type { ClusterWeather } from './cluster-weather.ts';
import type { Prng } from './prng.ts';

/** When a host starts, in milliseconds; `position` says where it stands among all, from 0 up to 1. */
export function startsAt(
  prng: Prng,
  pattern: ClusterWeather['startPattern'],
  position: number,
  windowMs: number,
): number {
  switch (pattern) {
    case 'at once':
      return prng.between(0, 5);
    case 'one after another':
      return position * windowMs;
    case 'staggered':
      return prng.chance(0.3) ? prng.between(0.8, 1) * windowMs : prng.between(0, 1) * windowMs;
    case 'late arrivals':
      return position < 0.5 ? prng.between(0, 50) : prng.between(100, windowMs);
  }
}
