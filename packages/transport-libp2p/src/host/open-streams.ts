/** Opens the three streams of a link on a wire and sends its header on each. */
import type { Channel, RandomBytes } from '@quorate/contracts';
import { FramedStream } from './framed-stream.ts';
import type { LinkStreams } from './libp2p-link.ts';
import { channels, encodeHeader, newLinkId } from './link-protocol.ts';
import { frameBytesMax, queueBytesMax } from './options.ts';
import type { Wire } from './wire.ts';

/** Streams whose first byte from the other side (on `rpc`) is still to come. */
export type OpenedStreams = {
  readonly streams: LinkStreams;
  /** The responder's answer byte, or null when the streams ended before it. */
  readonly answer: Promise<number | null>;
};

/** Rejects when one of the streams does not open before `signal`. */
export async function openStreams(
  wire: Wire,
  topic: string,
  random: RandomBytes,
  signal: AbortSignal,
): Promise<OpenedStreams> {
  const header = encodeHeader({ topic, linkId: newLinkId(random) });
  let answered: (answer: number | null) => void = () => {};
  const answer = new Promise<number | null>((resolve) => {
    answered = resolve;
  });
  const open = async (channel: Channel): Promise<FramedStream> =>
    new FramedStream({
      stream: await wire.open(channel, signal),
      prefixBytes: channel === 'rpc' ? 1 : 0,
      frameBytesMax,
      queueBytesMax,
      events: {
        prefix: (bytes) => answered(bytes[0] ?? null),
        // Frames may only come once this side has confirmed, and then other listeners are set.
        frame: () => answered(null),
        control: () => answered(null),
        drained: () => {},
        // The refusal on `rpc` may come behind the end of the other two.
        ended: () => {
          if (channel === 'rpc') answered(null);
        },
      },
    });
  const opened = await Promise.allSettled(channels.map(open));
  const failed = opened.find((result) => result.status === 'rejected');
  const streams = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const [raft, bulk, rpc] = streams;
  if (failed !== undefined || raft === undefined || bulk === undefined || rpc === undefined) {
    for (const stream of streams) stream.abort('incomplete');
    throw failed?.reason instanceof Error ? failed.reason : new Error('a stream did not open');
  }
  for (const stream of streams) stream.sendPrefix(header);
  return { streams: { raft, bulk, rpc }, answer };
}
