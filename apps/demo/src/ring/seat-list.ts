/** The seats in words and numbers, each with what can be done to it. */
import { h, KeyedList, setAttribute, setFlag, setText } from '../dom.ts';
import type { Seat } from '../seats.ts';
import { tintOf } from '../tab-name.ts';

export type SeatAction = {
  readonly text: string;
  /** What a screen reader says. */
  readonly label: string;
  readonly disabled: boolean;
  /** What the seat is called instead of gone. */
  readonly badge: string | null;
  readonly run: () => void;
};

export type SeatListOptions = {
  /** Null: nothing can be done. */
  readonly actionOf: (seat: Seat) => SeatAction | null;
};

export class SeatList {
  readonly element: HTMLElement;
  readonly #rows: KeyedList<Seat, HTMLLIElement>;
  readonly #options: SeatListOptions;

  constructor(options: SeatListOptions) {
    this.#options = options;
    this.element = h('ul', { class: 'seats-list', 'aria-label': 'Members' });
    this.#rows = new KeyedList(
      this.element,
      () => this.#create(),
      (row, seat) => this.#update(row, seat),
    );
  }

  show(seats: readonly Seat[]): void {
    this.#rows.show(seats, ({ key }) => key);
  }

  #create(): HTMLLIElement {
    return h(
      'li',
      { class: 'seat-row' },
      h('span', { class: 'dot' }),
      h('span', { class: 'seat-name' }),
      h('span', { class: 'badge' }),
      h('span', { class: 'seat-facts' }),
      h('button', { class: 'small', type: 'button' }),
    );
  }

  #update(row: HTMLLIElement, seat: Seat): void {
    const [dot, name, badge, facts, button] = row.children;
    if (!dot || !name || !badge || !facts || !(button instanceof HTMLButtonElement)) return;
    row.style.setProperty('--tint', tintOf(seat.name));
    setAttribute(row, 'data-role', seat.role);
    setAttribute(row, 'data-kind', seat.kind);
    setAttribute(row, 'data-name', seat.name);
    setFlag(row, 'data-gone', !seat.reachable);
    setText(name, seat.self ? `${seat.name} (you)` : seat.name);
    setText(facts, factsOf(seat).join(' · '));
    const action = this.#options.actionOf(seat);
    const coming = action?.badge ?? null;
    setText(badge, seat.reachable ? roleText(seat) : (coming ?? 'gone'));
    setFlag(row, 'data-coming', coming !== null);
    button.hidden = action === null;
    if (action === null) return;
    setText(button, action.text);
    setAttribute(button, 'aria-label', action.label);
    button.disabled = action.disabled;
    button.onclick = action.run;
  }
}

function roleText({ role }: Seat): string {
  return role === 'leader' ? '♛ leader' : role;
}

function factsOf({ votes, position, link, roundTripMs, self, reachable }: Seat): string[] {
  const facts = [votes === 0 ? 'no vote' : votes === 1 ? '1 vote' : `${votes} votes`];
  if (position !== null) facts.push(`log ${position.toLocaleString('en')}`);
  if (self) facts.push('this tab');
  else if (reachable && link !== null) {
    const time = roundTripMs === null ? '' : ` ${millisecondsText(roundTripMs)}`;
    facts.push(`${linkNames[link]}${time}`);
  }
  return facts;
}

const linkNames = {
  memory: 'memory',
  loopback: 'same page',
  tabs: 'tab to tab',
  websocket: 'WebSocket',
  tcp: 'TCP',
  relayed: 'relayed',
  webrtc: 'WebRTC',
} satisfies Record<NonNullable<Seat['link']>, string>;

export function millisecondsText(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms).toLocaleString('en')} ms`;
}
