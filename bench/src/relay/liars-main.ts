/** Strangers whose signatures are wrong: each asks the relay to look at a hundred of them a second. */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { createLibp2pHost } from '@quorate/transport-libp2p';
import { lyingCipher, recordBytes } from './lying-cipher.ts';
import { serve } from './program.ts';

export type LiarsOrder =
  | { readonly type: 'come'; readonly relay: string; readonly bare: number }
  /** Where what they say goes from now on. `bare`: as many bytes to a port that drops them. */
  | { readonly type: 'say'; readonly to: 'relay' | 'bare' | 'nobody' };

export const sessions = 32;
const perSecond = 100;
const everyMs = 20;

let say: (to: 'relay' | 'bare') => void = () => undefined;
let to: 'relay' | 'bare' | 'nobody' = 'nobody';

serve<LiarsOrder, { readonly done: true }>(async (order) => {
  if (order.type === 'say') turnTo(order.to);
  else await come(order.relay, order.bare);
  return { done: true };
});

setInterval(() => {
  if (to === 'nobody') return;
  for (let turn = 0; turn < (perSecond * everyMs) / 1_000; turn += 1) say(to);
  if (to === 'bare') spendAsMuch();
}, everyMs);

/**
 * To ask a relay costs whoever asks more than to write into a socket. Here both share one machine with
 * those who are measured: so the port that drops it gets as much of the sender's processor, too.
 */
let share = 0;
let since = { atMs: performance.now(), spentMs: spentMs() };

function turnTo(next: typeof to): void {
  if (to === 'relay') share = (spentMs() - since.spentMs) / (performance.now() - since.atMs);
  to = next;
  since = { atMs: performance.now(), spentMs: spentMs() };
}

function spendAsMuch(): void {
  const wanted = since.spentMs + share * (performance.now() - since.atMs);
  while (spentMs() < wanted) randomBytes(recordBytes);
}

function spentMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

async function come(relay: string, bare: number): Promise<void> {
  const lying = lyingCipher('liars');
  const liars = await Promise.all(
    Array.from({ length: sessions }, async () => {
      const host = await createLibp2pHost({ relays: [relay], reserve: false });
      return { rendezvous: host.rendezvous(lying), host: host.peerId, socket: mute(bare) };
    }),
  );
  let count = 0;
  say = (where) => {
    count += 1;
    for (const { rendezvous, host, socket } of liars) {
      if (where === 'relay') rendezvous.announce({ host, addresses: [`/${count}`] });
      else if (!socket.writableNeedDrain) socket.write(randomBytes(recordBytes));
    }
  };
}

function mute(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => socket.destroy());
  return socket;
}
