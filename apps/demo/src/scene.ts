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
  readonly failoverHint: string;
  /** What a person can do to lose a leader. */
  readonly failoverActions: readonly HTMLElement[];
  readonly seatAction: (seat: Seat) => SeatAction | null;
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
  #nodes: ReadonlySet<string> = new Set();
  #status: ClusterStatus;
  #seats: readonly Seat[] = [];
  /** Who led last, as far as this tab has seen. */
  #crowned: string | null = null;
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
      h('header', { class: 'intro' }, h('h1', {}, options.heading), h('p', {}, options.text)),
      this.#banner.element,
      h(
        'section',
        { class: 'card members', 'aria-labelledby': 'members-title' },
        h('h2', { id: 'members-title' }, 'Members'),
        this.#ring.element,
        this.#list.element,
      ),
      this.#count.element,
      this.#failover.element,
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

  /** NodeIds of members in Node.js. */
  setNodes(nodes: ReadonlySet<string>): void {
    this.#nodes = nodes;
    this.#drawSoon();
  }

  /** Whoever `name` is was lost at `atMs` by the wall clock: measures, if it was the leader. */
  lost(name: string, atMs: number, wasLeader: boolean): void {
    if (wasLeader) this.#stopwatch.lost(name, atMs);
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
    if (status.phase !== before.phase && status.phase === 'read-only') {
      this.#timeline.add('No quorum: read-only', 'bad');
    }
    if (status.phase === 'ready' && before.phase === 'read-only') {
      this.#timeline.add('A majority is back: writes go on', 'good');
    }
    if (leader !== null && leader.name !== this.#crowned) {
      const verb = this.#crowned === null ? 'has' : 'took';
      this.#timeline.add(`${leader.name} ${verb} the crown, term ${status.raft.term}`, 'crown');
      this.#lookForCrash(leader, seats);
      this.#crowned = leader.name;
    }
  }

  /** A leader that crashed said nothing: that another one leads is how it is noticed. */
  #lookForCrash(leader: Seat, seats: readonly Seat[]): void {
    const before = seats.find(({ name }) => name === this.#crowned);
    if (before === undefined || before.key === leader.key || before.reachable) return;
    this.#stopwatch.lost(before.name, wallMs());
  }

  #seatsOf(status: ClusterStatus): readonly Seat[] {
    return seatsOf(status.members, {
      positions: this.#positions,
      nodes: this.#nodes,
      apart: this.#options.apart,
    });
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
    this.#banner.show(status, this.#options.cluster.explain());
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
