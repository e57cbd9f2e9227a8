/**
 * What all listeners of one host or relay share: how many may come, whose pages may, what is counted,
 * and what a plain request is told.
 */
import { patient, systemClock } from '@quorate/contracts';
import type { Clock } from '@quorate/contracts';
import { metricsText } from '@quorate/contracts/metrics-text';
import type { Metric } from '@quorate/contracts/metrics-text';
import { integer, milliseconds, takeOptions } from '@quorate/contracts/options';
import type { Kinds } from '@quorate/contracts/options';
import type { Certificate } from './certificate.ts';
import { Door, defaultDoorLimits } from './door.ts';
import type { DoorLimits, Visit } from './door.ts';
import { Origins } from './origins.ts';
import { plainText } from './plain-requests.ts';
import type { Page, Pages } from './plain-requests.ts';
import { TrustedProxies } from './source.ts';

/** Numbers of a listener. Durations are in milliseconds. */
export type ListeningLimits = DoorLimits & {
  /** From the connection to the end of the request's head. Default 5,000. */
  readonly headersMs: number;
  /** From there until both sides have proved their keys, or have said goodbye. Default 5,000. */
  readonly upgradeMs: number;
};

export type ListeningOptions = {
  /**
   * Addresses of proxies in front, or ranges such as `10.0.0.0/8`: what they write into
   * `X-Forwarded-For` is believed, and limits count their clients. Default none.
   */
  readonly trustedProxies?: readonly string[];
  /**
   * Pages that may connect, such as `https://app.example.com`, beside those of this very machine.
   * Programs, which name no origin, always may. Default none.
   */
  readonly origins?: readonly string[];
  /** Speak TLS with it, on all addresses. Default none: plain WebSockets. */
  readonly certificate?: Certificate;
  readonly limits?: Partial<ListeningLimits>;
};

export const listeningLimitKinds: Kinds = {
  pendingPerAddress: integer(1),
  connectionsPerAddress: integer(1),
  connections: integer(1),
  headersMs: milliseconds,
  upgradeMs: milliseconds,
};

export type ListeningContext = {
  /** Names under which it is announced; see `Origins`. */
  readonly names?: readonly string[];
  readonly clock?: Clock;
  /** What it is, as a sentence for who looks at it with a browser. */
  readonly sentence?: string;
  /** What its owner counts. */
  readonly metrics?: () => readonly Metric[];
};

export class Listening {
  readonly limits: ListeningLimits;
  readonly door: Door;
  readonly origins: Origins;
  readonly proxies: TrustedProxies;
  readonly certificate: Certificate | null;
  readonly clock: Clock;
  readonly pages: Pages;
  /** Connections that ended because of what was sent on them. */
  broken = 0;
  /** Connections of pages that may not connect. */
  foreign = 0;
  /** Connections that took too long to say who they are. */
  late = 0;
  readonly #visits = new WeakMap<object, Visit>();
  #isProxyTold = false;

  /** Throws `TypeError` or `RangeError` for limits that cannot be meant. */
  constructor(options: ListeningOptions = {}, context: ListeningContext = {}) {
    const { names = [], sentence = 'This is a member of a Quorate cluster.', metrics } = context;
    const given = takeOptions(options.limits, listeningLimitKinds, 'listen', 'limits.');
    this.limits = { ...defaultDoorLimits, headersMs: 5_000, upgradeMs: 5_000, ...given };
    // Z44: who was late is not to be told from who was not heard.
    this.clock = patient(context.clock ?? systemClock);
    this.door = new Door(this.limits, this.clock);
    this.origins = new Origins(options.origins ?? [], names);
    this.proxies = new TrustedProxies(options.trustedProxies ?? []);
    this.certificate = options.certificate ?? null;
    const page = (body: string, type = plainText): Page => ({ status: 200, type, body });
    this.pages = new Map([
      ['/', () => page(`${sentence} It speaks WebSocket: give its address to members.\n`)],
      ['/healthz', () => page('ok\n')],
      [
        '/metrics',
        () => page(metricsText([...this.#metrics(), ...(metrics?.() ?? [])]), prometheus),
      ],
    ]);
  }

  /** Remembers whose visit a connection is, until it is known who its peer is. */
  expect(connection: object, visit: Visit): void {
    this.#visits.set(connection, visit);
  }

  /** Whether a connection, whose peer has proved its key, has to go for there are too many of it. */
  turnsAway(peer: string, connection: object): boolean {
    return this.#visits.get(connection)?.isUpgraded(`peer ${peer}`) === false;
  }

  /** Somebody passes on what others send, and who they are is not believed: said once. */
  proxyCame(): void {
    if (this.#isProxyTold) return;
    this.#isProxyTold = true;
    process.emitWarning(
      'Connections come through a proxy on this machine that is not trusted, so limits for each address ' +
        'cannot tell its clients apart and count by peer: name it as a trusted proxy, such as 127.0.0.1',
      { type: 'QuorateWarning', code: 'QUORATE_UNTRUSTED_PROXY' },
    );
  }

  #metrics(): Metric[] {
    const { door } = this;
    const refused: readonly (readonly [string, number])[] = [
      ['limit', door.refused],
      ['gave_way', door.gaveWay],
      ['origin', this.foreign],
      ['late', this.late],
      ['broken', this.broken],
    ];
    return [
      {
        name: 'listener_connections',
        type: 'gauge',
        help: 'Connections of this listener, pending ones too.',
        samples: [[{}, door.count]],
      },
      {
        name: 'listener_pending_connections',
        type: 'gauge',
        help: 'Connections that have not proved who they are yet.',
        samples: [[{}, door.pendingCount]],
      },
      {
        name: 'listener_refused_total',
        type: 'counter',
        help: 'Connections that were ended or turned away, by reason.',
        samples: refused.map(([reason, count]) => [{ reason }, count]),
      },
    ];
  }
}

const prometheus = 'text/plain; version=0.0.4; charset=utf-8';
