/** One cluster and everything that shows it: the same for tabs alone and for tabs with Node.js. */
import type { Cluster, ClusterStatus } from 'quorate';
import { Banner } from './banner.ts';
import { Board } from './board/board.ts';
import { BoardView } from './board/board-view.ts';
import { CountCard } from './count/count-card.ts';
import { h } from './dom.ts';
import { FailoverCard } from './failover-card.ts';
import { Stopwatch } from './failover.ts';
import { wallMs } from './neighbours.ts';
import { programCard } from './program.ts';
import { RingView } from './ring/ring-view.ts';
import { SeatList } from './ring/seat-list.ts';
import type { SeatAction } from './ring/seat-list.ts';
import { leaderOf, seatsOf } from './seats.ts';
import type { Seat } from './seats.ts';
import { Timeline } from './timeline.ts';

export type SceneOptions = {
  readonly cluster: Cluster;
  /** This tab. */
  readonly name: string;
  /** True where each member is a seat of its own. */
  readonly apart: boolean;
  readonly heading: string;
  readonly text: string;
  /** The options of `joinCluster`, as a person writes them. */
  readonly program: readonly string[];
  readonly failoverHint: string;
  /** What a person can do to lose a leader. */
  readonly failoverActions: readonly HTMLElement[];
  readonly seatAction: (seat: Seat) => SeatAction | null;
  /** Beside the heading, where there is room. */
  readonly aside: HTMLElement | null;
  /** What is to be said of the members here. */
  readonly note: string | null;
  /** Called with each status that is shown. */
  readonly shown: (status: ClusterStatus, seats: readonly Seat[]) => void;
};

export class Scene {
  readonly element: HTMLElement;
  readonly #options: SceneOptions;
  readonly #banner = new Banner();
  readonly #ring = new RingView();
  readonly #list: SeatList;
  readonly #count: CountCard;
  readonly #failover: FailoverCard;
  readonly #board: BoardView;
  readonly #timeline = new Timeline();
  readonly #stopwatch: Stopwatch;
  #unsubscribe: (() => void) | null = null;
  #positions: ReadonlyMap<string, number> = new Map();
  #status: ClusterStatus;
  #seats: readonly Seat[] = [];
  /** Who led last, as far as this tab has seen. */
  #crowned: { readonly key: string; readonly name: string } | null = null;
  /** Since when it is out of reach. */
  #suspectedAtMs: number | null = null;
  #drawing = false;
  #closed = false;

  constructor(options: SceneOptions) {
    const { cluster, name, failoverHint, failoverActions, seatAction } = options;
    this.#options = options;
    this.#status = cluster.status;
    this.#list = new SeatList({ actionOf: seatAction });
    this.#failover = new FailoverCard(failoverHint, failoverActions, this.#timeline.element);
    this.#count = new CountCard({
      kv: cluster.kv,
      writer: name,
      mayWrite: () => this.#status.canWrite,
      committed: () => this.#ring.pulse(),
    });
    this.#board = new BoardView(new Board(cluster.kv, name));
    this.#stopwatch = new Stopwatch({
      now: wallMs,
      write: () => cluster.kv.put('probe', name, { timeoutMs: probeTimeoutMs }).then(() => {}),
      pause: () => new Promise((resolve) => setTimeout(resolve, probePauseMs)),
      started: (lost) => {
        this.#failover.started(lost);
        this.#timeline.add(`${lost} is gone, and with it the crown`, 'bad');
      },
      done: (failover) => {
        const text = `${Math.round(failover.elapsedMs).toLocaleString('en')} ms`;
        this.#failover.done(failover);
        this.#count.mark(text);
        this.#timeline.add(`The next write was committed after ${text}`, 'good');
      },
    });
    this.element = h(
      'div',
      { class: 'scene' },
      h(
        'header',
        { class: 'intro' },
        h('h1', {}, options.heading),
        h('p', {}, options.text),
        options.aside,
      ),
      this.#banner.element,
      h(
        'section',
        { class: 'card members', 'aria-labelledby': 'members-title' },
        h('h2', { id: 'members-title' }, 'Members'),
        this.#ring.element,
        this.#list.element,
        options.note === null ? null : h('p', { class: 'muted' }, options.note),
      ),
      h(
        'div',
        { class: 'side' },
        this.#count.element,
        this.#failover.element,
        programCard(options.program),
      ),
      this.#board.element,
    );
  }

  /** Follows the cluster from now on. */
  start(): void {
    this.#unsubscribe = this.#options.cluster.subscribe((status) => this.#changed(status));
  }

  /** As others tell them. */
  setPositions(positions: ReadonlyMap<string, number>): void {
    this.#positions = new Map([...this.#positions, ...positions]);
    this.#drawSoon();
  }

  /** The seat `key` was lost at `atMs` by the wall clock: measures, if it led. */
  lost(key: string, atMs: number): void {
    // Its links may have told that it is gone, and others who leads instead, before this came.
    const leader = leaderOf(this.#seats) ?? this.#crowned;
    if (leader?.key === key) this.#stopwatch.lost(leader.name, atMs);
  }

  get seats(): readonly Seat[] {
    return this.#seats;
  }

  get leader(): Seat | null {
    return leaderOf(this.#seats);
  }

  /** What lies outside the cluster changed. */
  redraw(): void {
    this.#drawSoon();
  }

  /** Adds a line about something that went wrong. */
  say(text: string): void {
    this.#timeline.add(text, 'bad');
  }

  close(): void {
    this.#closed = true;
    this.#unsubscribe?.();
    this.#stopwatch.close();
    this.#failover.close();
    this.#count.close();
    this.#board.close();
    this.element.remove();
  }

  #changed(status: ClusterStatus): void {
    const before = this.#status;
    this.#status = status;
    // Asked of the status itself: it may not be drawn for a while, as in a hidden tab.
    const seats = this.#seatsOf(status);
    this.#tellChanges(before, status, seats);
    this.#seats = seats;
    this.#options.shown(status, seats);
    this.#drawSoon();
  }

  #tellChanges(before: ClusterStatus, status: ClusterStatus, seats: readonly Seat[]): void {
    const leader = leaderOf(seats);
    this.#suspect(seats);
    if (status.phase !== before.phase && status.phase === 'read-only') {
      this.#timeline.add('No quorum: read-only', 'bad');
    }
    if (status.phase === 'ready' && before.phase === 'read-only') {
      this.#timeline.add('A majority is back: writes go on', 'good');
    }
    if (leader !== null && leader.key !== this.#crowned?.key) {
      const verb = this.#crowned === null ? 'has' : 'took';
      this.#timeline.add(`${leader.name} ${verb} the crown, term ${status.raft.term}`, 'crown');
      if (this.#crowned !== null && this.#suspectedAtMs !== null) {
        this.#stopwatch.lost(this.#crowned.name, this.#suspectedAtMs);
      }
      this.#suspectedAtMs = null;
      this.#crowned = { key: leader.key, name: leader.name };
    }
  }

  /** A leader that crashes says nothing: its links tell, before anybody else leads. */
  #suspect(seats: readonly Seat[]): void {
    const crowned = seats.find(({ key }) => key === this.#crowned?.key);
    if (crowned === undefined) return;
    if (crowned.reachable) this.#suspectedAtMs = null;
    else this.#suspectedAtMs ??= wallMs();
  }

  #seatsOf(status: ClusterStatus): readonly Seat[] {
    const seats = seatsOf(status.members, {
      positions: this.#positions,
      apart: this.#options.apart,
    });
    // A tab that had no vote and is gone leaves nothing that anybody waits for.
    return seats.filter(({ role, reachable }) => role !== 'learner' || reachable);
  }

  /** A status changes many times a second: it is drawn once per frame. */
  #drawSoon(): void {
    if (this.#drawing || this.#closed) return;
    this.#drawing = true;
    const draw = (): void => {
      this.#drawing = false;
      if (!this.#closed) this.#draw();
    };
    // A hidden tab has no frames, and its banner should be right when it is looked at.
    if (document.visibilityState === 'visible') requestAnimationFrame(draw);
    else setTimeout(draw, hiddenDrawMs);
  }

  #draw(): void {
    const status = this.#status;
    this.#seats = this.#seatsOf(status);
    this.#banner.show(status);
    this.#ring.show({
      seats: this.#seats,
      term: status.raft.term,
      caption:
        status.phase === 'read-only'
          ? 'read-only'
          : `log ${status.raft.lastIndex.toLocaleString('en')}`,
    });
    this.#list.show(this.#seats);
    this.#count.show(status.canWrite);
    this.#board.show(status.canWrite);
    this.element.toggleAttribute('data-read-only', !status.canWrite);
  }
}

const probeTimeoutMs = 15_000;
const probePauseMs = 20;
const hiddenDrawMs = 250;
