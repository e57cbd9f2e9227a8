/** A stranger with keys of his own and no secret of anybody else's, who takes of a relay what he can. */
import { systemRandom } from '@quorate/contracts';
import { createCipher } from '@quorate/crypto';
import { createLibp2pHost } from '@quorate/transport-libp2p';
import type { Libp2pHost } from '@quorate/transport-libp2p';
import { lyingCipher } from './lying-cipher.ts';
import { serve } from './program.ts';

/** What he tries, and how often. */
export type AttackOrder = { readonly relay: string; readonly count: number } & (
  | { readonly type: 'fill' | 'places' | 'lie' }
  /** Claims the names of others under a secret of his own. */
  | { readonly type: 'squat'; readonly namespaces: readonly string[] }
  | { readonly type: 'leave' }
);

/** How often he had it, and how often he was refused, by the words of the refusal. */
export type AttackTold = {
  readonly had: number;
  readonly refusals: Readonly<Record<string, number>>;
};

const hosts: Libp2pHost[] = [];
const lies: (() => void)[] = [];
const secret = 'mine'.padEnd(32, '.');
const pauseMs = 250;

const attacks = {
  /** Another namespace after the other, from one host; asks again where only his work is used up. */
  async fill({ relay, count }: AttackOrder): Promise<AttackTold> {
    const names = Array.from({ length: count }, (_, at) => `filled-${at}`);
    return claim(relay, names, 'public');
  },

  async squat(order: AttackOrder): Promise<AttackTold> {
    const names = order.type === 'squat' ? order.namespaces : [];
    return claim(order.relay, names, new TextEncoder().encode(secret));
  },

  /** Hosts that can be reached and are announced nowhere. */
  async places({ relay, count }: AttackOrder): Promise<AttackTold> {
    const opened: Libp2pHost[] = [];
    for (let at = 0; at < count; at += 1) opened.push(await open(relay, true));
    const signal = AbortSignal.timeout(30_000);
    while (!signal.aborted && opened.some((host) => host.addresses().length === 0)) await pause();
    return { had: opened.filter((host) => host.addresses().length > 0).length, refusals: {} };
  },

  /** As many sessions, each a hundred wrong signatures a second until he leaves. */
  async lie({ relay, count }: AttackOrder): Promise<AttackTold> {
    const lying = lyingCipher('lies');
    for (let at = 0; at < count; at += 1) {
      const host = await open(relay, false);
      const rendezvous = host.rendezvous(lying);
      let said = 0;
      const timer = setInterval(() => {
        said += 1;
        rendezvous.announce({ host: host.peerId, addresses: [`/${said}`] });
      }, 10);
      lies.push(() => clearInterval(timer));
    }
    return { had: count, refusals: {} };
  },

  async leave(): Promise<AttackTold> {
    for (const end of lies.splice(0)) end();
    await Promise.all(hosts.splice(0).map((host) => host.close()));
    return { had: 0, refusals: {} };
  },
};

serve<AttackOrder, AttackTold>((order) => attacks[order.type](order));

async function open(relay: string, reserve: boolean): Promise<Libp2pHost> {
  const host = await createLibp2pHost({ relays: [relay], reserve });
  hosts.push(host);
  return host;
}

async function claim(
  relay: string,
  names: readonly string[],
  secrets: 'public' | Uint8Array,
): Promise<AttackTold> {
  const host = await open(relay, false);
  const refusals: Record<string, number> = {};
  let had = 0;
  for (const namespace of names) {
    const cipher = createCipher({ namespace, secrets, random: systemRandom });
    const register = host.register(cipher);
    for (;;) {
      try {
        const signal = AbortSignal.timeout(10_000);
        const { ok } = await register.compareAndSet(0, new Uint8Array(64), signal);
        if (ok) had += 1;
        break;
      } catch (error) {
        const words = String(error);
        if (words.includes('more work')) {
          await pause();
          continue;
        }
        const why = /limit (\w+)/.exec(words)?.[1] ?? words;
        refusals[why] = (refusals[why] ?? 0) + 1;
        break;
      }
    }
  }
  return { had, refusals };
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
}
