/** A transport that notes of what kind its links were. */
import type { HostId, LinkKind, Transport, TransportHandler } from '@quorate/contracts';

export function watchedKinds(transport: Transport, kinds: Set<LinkKind>): Transport {
  return {
    host: transport.host,
    frameBytesMax: transport.frameBytesMax,
    start: async (handler: TransportHandler, signal?: AbortSignal) =>
      transport.start(
        {
          linkUp: (link) => {
            kinds.add(link.kind);
            handler.linkUp(link);
          },
          linkDown: (link, reason) => handler.linkDown(link, reason),
          frame: (link, channel, frame) => handler.frame(link, channel, frame),
          drained: (link, channel) => handler.drained(link, channel),
        },
        signal,
      ),
    addresses: () => transport.addresses(),
    connect: (host: HostId, addresses: readonly string[]) => transport.connect(host, addresses),
    dial: async (address: string, signal: AbortSignal) => transport.dial(address, signal),
    disconnect: (host: HostId) => transport.disconnect(host),
    close: async () => transport.close(),
  };
}
