import { expect, test } from 'vitest';
import { centre, radius, seatPoints, seatRadius, spoke } from './layout.ts';

test('seatPoints() puts the first seat at the top and all of them on the circle, apart', () => {
  for (let count = 1; count <= 12; count += 1) {
    const points = seatPoints(count);
    expect(points[0]).toEqual({ x: centre.x, y: centre.y - radius });
    for (const [at, { x, y }] of points.entries()) {
      expect(Math.hypot(x - centre.x, y - centre.y)).toBeCloseTo(radius, 0);
      const next = points[(at + 1) % count] ?? centre;
      if (count > 1)
        expect(Math.hypot(x - next.x, y - next.y)).toBeGreaterThan(2 * seatRadius(count));
    }
  }
});

test('spoke() leaves out what lies under the seats, and never turns round', () => {
  expect(spoke({ x: 0, y: 0 }, { x: 100, y: 0 }, 20)).toEqual([
    { x: 20, y: 0 },
    { x: 80, y: 0 },
  ]);
  expect(spoke({ x: 0, y: 0 }, { x: 10, y: 0 }, 20)).toEqual([
    { x: 5, y: 0 },
    { x: 5, y: 0 },
  ]);
});
