/** Where the seats are: evenly on a circle, the first at the top, clockwise. */

export type Point = { readonly x: number; readonly y: number };

/** Of a drawing of 400 × 400. */
export const centre: Point = { x: 200, y: 200 };
export const radius = 132;

export function seatPoints(count: number): readonly Point[] {
  return Array.from({ length: count }, (_, index) => {
    const angle = -Math.PI / 2 + (2 * Math.PI * index) / Math.max(count, 1);
    return {
      x: round(centre.x + radius * Math.cos(angle)),
      y: round(centre.y + radius * Math.sin(angle)),
    };
  });
}

/** Many seats get smaller, so that their names have room. */
export function seatRadius(count: number): number {
  if (count <= 6) return 27;
  return count <= 9 ? 22 : 18;
}

/** The line from `from` to `to` without what lies under the two seats. */
export function spoke(from: Point, to: Point, gap: number): readonly [Point, Point] {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const part = length === 0 ? 0 : Math.min(gap / length, 0.5);
  const x = (to.x - from.x) * part;
  const y = (to.y - from.y) * part;
  return [
    { x: round(from.x + x), y: round(from.y + y) },
    { x: round(to.x - x), y: round(to.y - y) },
  ];
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
