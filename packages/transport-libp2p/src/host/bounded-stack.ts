/**
 * What a connection runs on, with the bounds that it lacks. Whoever reaches a port speaks Noise and
 * yamux with it before anything of ours is proven, so neither may hold more than it can say (T9).
 */
import type {
  ConnectionEncrypter,
  MessageStream,
  SecuredConnection,
  StreamMuxerFactory,
} from '@libp2p/interface';
import { noise } from '@libp2p/noise';
import { yamux } from '@libp2p/yamux';

/**
 * What one stream may have under way. Everything there is in front of the next heartbeat, so it is
 * kept far below yamux's 16 MiB: heartbeats under a snapshot then take tens of milliseconds.
 */
const streamWindowBytesMax = 1024 * 1024;

/**
 * What may wait in a stream: more than a link hands over at its end (`queueBytesMax`), and, where the
 * stream is a circuit, than the windows of a few links in it. Beyond are answers to who does not read.
 */
const streamBufferBytesMax = 16 * 1024 * 1024;

/**
 * What may wait in a connection that is full. Streams have stopped then; what still comes are
 * yamux's own answers (pongs, resets, windows) to a peer that sends and does not read. Each has 12
 * bytes, and an honest peer that reads nothing brings about a few hundred of them.
 */
const controlBytesMax = 1024 * 1024;

export function boundedYamux(): () => StreamMuxerFactory {
  const make = yamux({
    streamOptions: {
      maxStreamWindowSize: streamWindowBytesMax,
      maxWriteBufferLength: streamBufferBytesMax,
    },
  });
  return () => {
    const factory = make();
    return {
      protocol: factory.protocol,
      createStreamMuxer: (connection) => {
        refuseLongFrames(connection);
        return factory.createStreamMuxer(connection);
      },
    };
  };
}

export function boundedNoise(): (
  components: Parameters<ReturnType<typeof noise>>[0],
) => ConnectionEncrypter {
  const make = noise();
  return (components) => {
    const inner = make(components);
    return {
      protocol: inner.protocol,
      secureInbound: async (stream, options) => bound(await inner.secureInbound(stream, options)),
      secureOutbound: async (stream, options) => bound(await inner.secureOutbound(stream, options)),
    };
  };
}

function bound<T extends SecuredConnection>(secured: T): T {
  secured.connection.maxWriteBufferLength = controlBytesMax;
  return secured;
}

/**
 * Ends a connection over which a frame of yamux claims to be longer than any window lets it be. The
 * muxer would gather up to 4 GiB before it looked.
 */
function refuseLongFrames(connection: MessageStream): void {
  const header = new Uint8Array(headerBytes);
  let filled = 0;
  let left = 0;
  const read = (chunk: Uint8Array): void => {
    let offset = 0;
    while (offset < chunk.length) {
      if (left > 0) {
        const taken = Math.min(left, chunk.length - offset);
        left -= taken;
        offset += taken;
        continue;
      }
      const taken = Math.min(headerBytes - filled, chunk.length - offset);
      header.set(chunk.subarray(offset, offset + taken), filled);
      filled += taken;
      offset += taken;
      if (filled < headerBytes) return;
      filled = 0;
      left = header[1] === dataFrame ? new DataView(header.buffer).getUint32(8) : 0;
      if (left > streamWindowBytesMax) {
        connection.abort(new Error(`Cannot take a frame of ${left} bytes`));
        return;
      }
    }
  };
  // Registered before the muxer, so called before it.
  connection.addEventListener('message', ({ data }) => {
    for (const chunk of data instanceof Uint8Array ? [data] : data) read(chunk);
  });
}

/** Version, type, flags (2), stream (4), length (4). */
const headerBytes = 12;
const dataFrame = 0;
