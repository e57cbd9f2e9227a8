/** A host in a process of its own; a test drives it over the process's channel. */
import { createLibp2pHost } from '../../src/index.ts';
import { announced } from '../announced.ts';
import { serveTransport } from '../serve-transport.ts';
import type { FromHost, ToHost } from '../remote-messages.ts';

const { privateKey, listen, relays, topic } = JSON.parse(process.argv[2] ?? '{}') as {
  privateKey: string;
  listen: string[];
  relays: string[];
  topic: string;
};

const tell = (message: FromHost): void => {
  process.send?.(message);
};

const host = await createLibp2pHost({
  privateKey: Buffer.from(privateKey, 'hex'),
  listen,
  relays,
});
if (relays.length > 0) await announced(host);
const take = serveTransport(host.transport(topic), tell);
process.on('message', (message: ToHost) => take(message));
process.on('disconnect', () => process.exit(0));

while (host.addresses().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
tell({ type: 'ready', host: host.peerId, addresses: host.addresses() });
