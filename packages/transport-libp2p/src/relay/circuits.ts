/**
 * The circuits of a relay, with back-pressure. circuit-relay-v2 takes in whatever comes on one side,
 * however slowly the other side reads: two strangers, one of whom stops reading, had it hold all that
 * the other one sends (T9). Here the faster side is paused, which closes its window.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { circuitRelayServer } from '@libp2p/circuit-relay-v2';
import type { CircuitRelayServerInit, CircuitRelayService } from '@libp2p/circuit-relay-v2';
import type { Connection, Stream } from '@libp2p/interface';

type Components = Parameters<ReturnType<typeof circuitRelayServer>>[0];

/** What a circuit may hold for one of its ends before the other one is paused. */
const waitingBytesMax = 1024 * 1024;

export function boundedCircuitServer(
  init: CircuitRelayServerInit,
): (components: Components) => CircuitRelayService {
  const make = circuitRelayServer(init);
  return (components) => {
    // The stream whose request is being answered: what is opened on its behalf is its other end.
    const asking = new AsyncLocalStorage<Stream>();
    const { registrar, connectionManager } = components;
    const answering: Components['registrar'] = bindTo(registrar, {
      handle: async (protocol, handler, options) =>
        registrar.handle(
          protocol,
          (stream, connection) => asking.run(stream, () => handler(stream, connection)),
          options,
        ),
    });
    const opening: Components['connectionManager'] = bindTo(connectionManager, {
      getConnections: (peer) =>
        connectionManager.getConnections(peer).map((connection) => joining(connection, asking)),
    });
    return make(bindTo(components, { registrar: answering, connectionManager: opening }));
  };
}

function joining(connection: Connection, asking: AsyncLocalStorage<Stream>): Connection {
  return bindTo(connection, {
    newStream: async (protocols, options) => {
      const opened = await connection.newStream(protocols, options);
      const asked = asking.getStore();
      if (asked !== undefined) {
        restrain(asked, opened);
        restrain(opened, asked);
      }
      return opened;
    },
  });
}

/** Pauses `from` while much of what came from it has not left `to`. */
function restrain(from: Stream, to: Stream): void {
  /** Taken in, and not handed to `to` yet. */
  let waitingBytes = 0;
  let isPaused = false;
  const look = (): void => {
    const bytes = waitingBytes + to.writeBufferLength;
    if (!isPaused && bytes > waitingBytesMax && from.readStatus === 'readable') {
      isPaused = true;
      from.pause();
    } else if (isPaused && bytes <= waitingBytesMax / 2) {
      isPaused = false;
      // Not within what `to` is doing: what waits in `from` comes at once.
      queueMicrotask(() => resume(from));
    }
  };
  from.addEventListener('message', ({ data }) => {
    waitingBytes += data.byteLength;
    look();
  });
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
