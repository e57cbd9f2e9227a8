/** The cluster as a ring: a seat per tab or process, the crown over whoever leads. */
import { h, isCalm, KeyedList, s, setAttribute, setFlag, setText } from '../dom.ts';
import { leaderOf } from '../seats.ts';
import type { Seat } from '../seats.ts';
import { tintOf } from '../tab-name.ts';
import { centre, seatPoints, seatRadius, spoke } from './layout.ts';
import type { Point } from './layout.ts';

export type RingState = {
  readonly seats: readonly Seat[];
  readonly term: number;
  /** What the middle says under the leader's name, or instead of one. */
  readonly caption: string;
};

type Placed = { readonly seat: Seat; readonly at: Point; readonly size: number };

export class RingView {
  readonly element: HTMLElement;
  readonly #seats: KeyedList<Placed, SVGGElement>;
  readonly #spokes: KeyedList<Placed, SVGGElement>;
  readonly #crown: SVGGElement;
  readonly #term = h('span', { class: 'ring-term' });
  readonly #leader = h('strong', { class: 'ring-leader' });
  readonly #caption = h('span', { class: 'ring-caption' });
  #leaderPlace: Placed | null = null;
  #pulsedAtMs = 0;

  constructor() {
    const spokes = s('g', { class: 'spokes' });
    const seats = s('g', { class: 'seats' });
    this.#crown = s('g', { class: 'crown' }, s('path', { d: crownPath }));
    this.element = h(
      'div',
      { class: 'ring' },
      s(
        'svg',
        { viewBox: '0 0 400 400', 'aria-hidden': 'true' },
        s('circle', { class: 'orbit', cx: centre.x, cy: centre.y, r: 132 }),
        spokes,
        seats,
        this.#crown,
      ),
      h('div', { class: 'ring-middle' }, this.#term, this.#leader, this.#caption),
    );
    this.#spokes = new KeyedList(
      spokes,
      () => s('g', {}, s('line'), s('line', { class: 'pulse' })),
      (group, place) => this.#drawSpoke(group, place),
    );
    this.#seats = new KeyedList(seats, createSeat, drawSeat);
  }

  show({ seats, term, caption }: RingState): void {
    const points = seatPoints(seats.length);
    const size = seatRadius(seats.length);
    const places = seats.map((seat, index) => ({ seat, at: points[index] ?? centre, size }));
    const leader = leaderOf(seats);
    this.#leaderPlace = places.find(({ seat }) => seat === leader) ?? null;
    this.#seats.show(places, keyOf);
    const others = this.#leaderPlace === null ? [] : places.filter(({ seat }) => seat !== leader);
    this.#spokes.show(others, keyOf);
    this.#drawCrown();
    setText(this.#term, term === 0 ? '' : `term ${term}`);
    // Before the first term is heard of, nobody is missed.
    const nobody = term === 0 ? 'Joining …' : 'No leader';
    setText(this.#leader, leader === null ? nobody : leader.name);
    setFlag(this.#leader, 'data-none', leader === null && term > 0);
    setText(this.#caption, term === 0 ? '' : caption);
  }

  /** Something was committed: it shows on its way from the leader to the others. */
  pulse(): void {
    const now = performance.now();
    if (isCalm() || now - this.#pulsedAtMs < pulseMs || this.#leaderPlace === null) return;
    this.#pulsedAtMs = now;
    for (const line of this.element.querySelectorAll('.spokes :not([data-gone]) > .pulse')) {
      line.animate(
        [
          {
            strokeDasharray: '10 400',
            strokeDashoffset: 10,
            stroke: 'var(--crown)',
            strokeWidth: 4,
          },
          {
            strokeDasharray: '10 400',
            strokeDashoffset: -240,
            stroke: 'var(--crown)',
            strokeWidth: 4,
          },
        ],
        { duration: pulseMs, easing: 'ease-in-out' },
      );
    }
  }

  #drawSpoke(group: SVGGElement, { seat, at, size }: Placed): void {
    const from = this.#leaderPlace?.at ?? centre;
    const [start, end] = spoke(from, at, size + 7);
    for (const line of group.children) {
      setAttribute(line, 'x1', String(start.x));
      setAttribute(line, 'y1', String(start.y));
      setAttribute(line, 'x2', String(end.x));
      setAttribute(line, 'y2', String(end.y));
    }
    setFlag(group, 'data-learner', seat.role === 'learner');
    setFlag(group, 'data-gone', !seat.reachable);
  }

  #drawCrown(): void {
    setFlag(this.#crown, 'data-none', this.#leaderPlace === null);
    if (this.#leaderPlace === null) return;
    const { at, size } = this.#leaderPlace;
    this.#crown.style.transform = `translate(${at.x}px, ${at.y - size - 11}px)`;
  }
}

function createSeat(): SVGGElement {
  return s(
    'g',
    { class: 'seat' },
    s('circle', { class: 'halo' }),
    s('path', { class: 'body' }),
    s('text', { class: 'initial', 'text-anchor': 'middle', 'dominant-baseline': 'central' }),
    s('g', { class: 'votes' }),
    s('text', { class: 'name', 'text-anchor': 'middle' }),
  );
}

function drawSeat(group: SVGGElement, { seat, at, size }: Placed): void {
  group.style.transform = `translate(${at.x}px, ${at.y}px)`;
  group.style.setProperty('--tint', tintOf(seat.name));
  setAttribute(group, 'data-role', seat.role);
  setAttribute(group, 'data-kind', seat.kind);
  setFlag(group, 'data-self', seat.self);
  setFlag(group, 'data-gone', !seat.reachable);
  const [halo, body, initial, votes, name] = group.children;
  if (!halo || !body || !initial || !votes || !name) return;
  setAttribute(halo, 'r', String(size + 6));
  setAttribute(body, 'd', seat.kind === 'node' ? hexagon(size) : disc(size));
  setText(initial, initialOf(seat.name));
  setAttribute(initial, 'font-size', String(size * 0.8));
  setText(name, seat.self ? `${seat.name} (you)` : seat.name);
  setAttribute(name, 'y', String(size + 24));
  if (votes.childElementCount !== seat.votes) {
    votes.replaceChildren(
      ...Array.from({ length: seat.votes }, (_, index) =>
        s('circle', { cx: (index - (seat.votes - 1) / 2) * 9, cy: size - 1, r: 3.4 }),
      ),
    );
  }
}

/** `node-2` is known by its number. */
function initialOf(name: string): string {
  return /-(\d+)$/.exec(name)?.[1] ?? name.slice(0, 1).toUpperCase();
}

function keyOf({ seat }: Placed): string {
  return seat.key;
}

function disc(size: number): string {
  return `M ${-size} 0 a ${size} ${size} 0 1 0 ${2 * size} 0 a ${size} ${size} 0 1 0 ${-2 * size} 0`;
}

function hexagon(size: number): string {
  const corners = Array.from({ length: 6 }, (_, index) => {
    const angle = Math.PI / 6 + (Math.PI / 3) * index;
    return `${(size * 1.08 * Math.cos(angle)).toFixed(1)} ${(size * 1.08 * Math.sin(angle)).toFixed(1)}`;
  });
  return `M ${corners.join(' L ')} Z`;
}

/** A crown of 30 × 19, its foot at the origin. */
const crownPath = 'M -15 -17 L -8 -9 L 0 -19 L 8 -9 L 15 -17 L 12 0 Q 0 3 -12 0 Z';
const pulseMs = 420;
