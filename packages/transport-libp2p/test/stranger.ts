/** A peer that speaks libp2p, can use a relay, and knows nothing of ours. */
import { identify } from '@libp2p/identify';
import { noise } from '@libp2p/noise';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import { parseAddress } from '../src/host/addresses.ts';
import { boundedCircuits } from '../src/host/host.ts';
import { nodeWebSockets } from '../src/node/web-sockets.ts';

export type Stranger = {
  /** Opens a stream and says `bytes` on it; an empty array: nothing. */
  say(address: string, protocol: string, bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
};

export async function openStranger(): Promise<Stranger> {
  const node = await createLibp2p({
    transports: [nodeWebSockets(), boundedCircuits()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify() },
  });
  return {
    say: async (address, protocol, bytes) => {
      const connection = await node.dial(parseAddress(address));
      const stream = await connection.newStream(protocol, { runOnLimitedConnection: true });
      if (bytes.length > 0) stream.send(bytes);
    },
    close: async () => node.stop(),
  };
}
