/**
 * The circuits of a relay, with back-pressure. circuit-relay-v2 takes in whatever comes on one side,
 * however slowly the other side reads: two strangers, one of whom stops reading, had it hold all that
 * the other one sends (T9). Here the faster side is paused, which closes its window; and so is whoever has sent more than
 * his share, until that is worked off (T25).
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { circuitRelayServer } from '@libp2p/circuit-relay-v2';
import type { CircuitRelayServerInit, CircuitRelayService } from '@libp2p/circuit-relay-v2';
import type { Connection, Stream } from '@libp2p/interface';
import type { Clock } from '@quorate/contracts';

type Components = Parameters<ReturnType<typeof circuitRelayServer>>[0];

/** What a circuit may hold for one of its ends before the other one is paused. */
const waitingBytesMax = 1024 * 1024;

/** What carrying costs the one who sends. */
export type Toll = {
  /** Counts `bytes` that came from there; true where it may owe something. */
  pay(bytes: number): boolean;
  /** Milliseconds until it may send on. */
  debtMs(): number;
};

export type Tolls = {
  readonly of: (connection: Connection) => Toll;
  readonly setTimeout: Clock['setTimeout'];
};

type End = { readonly stream: Stream; readonly connection: Connection };

export function boundedCircuitServer(
  init: CircuitRelayServerInit,
  tolls: Tolls,
): (components: Components) => CircuitRelayService {
  const make = circuitRelayServer(init);
  return (components) => {
    // The stream whose request is being answered: what is opened on its behalf is its other end.
    const asking = new AsyncLocalStorage<End>();
    const { registrar, connectionManager } = components;
    const answering: Components['registrar'] = bindTo(registrar, {
      handle: async (protocol, handler, options) =>
        registrar.handle(
          protocol,
          (stream, connection) =>
            asking.run({ stream, connection }, () => handler(stream, connection)),
          options,
        ),
    });
    const opening: Components['connectionManager'] = bindTo(connectionManager, {
      getConnections: (peer) =>
        connectionManager
          .getConnections(peer)
          .map((connection) => joining(connection, asking, tolls)),
    });
    return make(bindTo(components, { registrar: answering, connectionManager: opening }));
  };
}

function joining(connection: Connection, asking: AsyncLocalStorage<End>, tolls: Tolls): Connection {
  return bindTo(connection, {
    newStream: async (protocols, options) => {
      const opened = await connection.newStream(protocols, options);
      const asked = asking.getStore();
      if (asked !== undefined) {
        restrain(asked, opened, tolls);
        restrain({ stream: opened, connection }, asked.stream, tolls);
      }
      return opened;
    },
  });
}

/** Pauses `from` while much of what came from it has not left `to`, or while it owes for what it sent. */
function restrain({ stream: from, connection }: End, to: Stream, tolls: Tolls): void {
  const toll = tolls.of(connection);
  /** Taken in, and not handed to `to` yet. */
  let waitingBytes = 0;
  let isPaused = false;
  let cancelDebt: (() => void) | null = null;
  const look = (): void => {
    const bytes = waitingBytes + to.writeBufferLength;
    const isTooMuch = cancelDebt !== null || bytes > waitingBytesMax;
    if (!isPaused && isTooMuch && from.readStatus === 'readable') {
      isPaused = true;
      from.pause();
    } else if (isPaused && cancelDebt === null && bytes <= waitingBytesMax / 2) {
      isPaused = false;
      // Not within what `to` is doing: what waits in `from` comes at once.
      queueMicrotask(() => resume(from));
    }
  };
  const workOff = (): void => {
    const debtMs = toll.debtMs();
    cancelDebt = debtMs > 0 ? tolls.setTimeout(workOff, debtMs) : null;
    look();
  };
  from.addEventListener('message', ({ data }) => {
    waitingBytes += data.byteLength;
    if (toll.pay(data.byteLength) && cancelDebt === null) workOff();
    else look();
  });
  from.addEventListener('close', () => cancelDebt?.());
  const send = to.send.bind(to);
  to.send = (data) => {
    // What the two say to each other first came from nobody.
    waitingBytes = Math.max(0, waitingBytes - data.byteLength);
    const canSendMore = send(data);
    look();
    return canSendMore;
  };
  to.addEventListener('idle', look);
}

function resume(stream: Stream): void {
  if (stream.readStatus === 'paused') stream.resume();
}

/** The same object with some of its methods replaced. */
function bindTo<T extends object>(target: T, replaced: Partial<T>): T {
  return new Proxy(target, {
    get: (object, name) => {
      if (Object.hasOwn(replaced, name)) return replaced[name as keyof T];
      const value: unknown = Reflect.get(object, name, object);
      return typeof value === 'function' ? (value.bind(object) as unknown) : value;
    },
  });
}
