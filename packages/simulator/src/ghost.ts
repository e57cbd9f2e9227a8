/**
 * A host that says hello and nothing else: a late word of a run that is over, a visitor, or a liar
 * who says of others what he pleases.
 */
import type { Cipher, StoredRun, Transport } from '@quorate/contracts';
import { Host } from '@quorate/cluster/inside';
import type { HostedReplica, RunFacts } from '@quorate/cluster/inside';
import type { SignedRuns } from '@quorate/cluster/signed';
import { ProcessClock } from './virtual-clock.ts';
import type { VirtualClock } from './virtual-clock.ts';
import type { VirtualNetwork } from './virtual-network.ts';

export type GhostOptions = {
  readonly id: string;
  readonly clock: VirtualClock;
  readonly network: VirtualNetwork;
  readonly cipher: Cipher;
  /** Where replicas have keys. */
  readonly signedRuns: SignedRuns | null;
  /** Signed by the key that it has. */
  readonly run: StoredRun;
  readonly label: string;
  /** Whom it speaks to: nobody can call it back. */
  readonly to: readonly string[];
  /** It falls silent after its hello. */
  readonly isOver?: boolean;
  /** What it says of others' replicas, if it lies. */
  readonly lies?: readonly RunFacts[];
};

export class Ghost {
  readonly #options: GhostOptions;
  readonly #clock: ProcessClock;

  constructor(options: GhostOptions) {
    const { id, clock, network, cipher, to, isOver = false, lies = [] } = options;
    this.#options = options;
    this.#clock = new ProcessClock(clock);
    const said = (): void => {
      if (isOver) this.#clock.freeze();
    };
    const host = new Host({
      transport: unlisted(network.transport(id, this.#clock)),
      cipher,
      clock: this.#clock,
      random: (count) => new Uint8Array(count),
      rendezvous: null,
      onRefused: () => undefined,
      onBroken: () => undefined,
      onChange: () => undefined,
    });
    for (const lie of lies) {
      host.witnesses.met(lie, id);
      host.witnesses.refuse(lie, 'REPLICA_ROLLED_BACK', id);
      host.witnesses.holds(lie.nodeId, 2 ** 50);
    }
    const { signedRuns, run, label } = options;
    const proof = signedRuns?.proof(run.key, run, id) ?? null;
    host.add(mute({ ...factsOf(run, label), proof }, said));
    const whom = to.map((one) => ({ host: one, addresses: [`virtual:${one}`] }));
    void host.start().then(() => host.meet(whom));
  }

  end(): void {
    this.#clock.kill();
    this.#options.network.crash(this.#options.id);
  }
}

/** What a run of this replica said of itself, with all that anybody could ask for on its disk. */
export function factsOf(stored: StoredRun, label: string): RunFacts {
  const { mark: _, key: __, ...run } = stored;
  return {
    ...run,
    proof: null,
    ...{ clusterId: null, generation: 0, label, durable: true },
    opening: { term: 2 ** 40, votedFor: null, lastIndex: 2 ** 40 },
  };
}

/** The run before the present one, as its hello may come out of a full buffer. */
export function formerOf(stored: StoredRun): StoredRun | null {
  const [nonce, ...past] = stored.past;
  return nonce === undefined ? null : { ...stored, epoch: stored.epoch - 1, nonce, past };
}

export function freshRun(nodeId: string, key: string | null, nonce: string): StoredRun {
  return { nodeId, key, epoch: 1, nonce, past: [], givenUp: [], mark: null };
}

/** One that nobody dials again once it is gone. */
function unlisted(transport: Transport): Transport {
  return {
    host: transport.host,
    frameBytesMax: transport.frameBytesMax,
    start: (handler, signal) => transport.start(handler, signal),
    addresses: () => [],
    connect: (host, addresses) => transport.connect(host, addresses),
    dial: (address, signal) => transport.dial(address, signal),
    disconnect: (host) => transport.disconnect(host),
    close: () => transport.close(),
  };
}

function mute(run: RunFacts, said: () => void): HostedReplica {
  const nothing = (): undefined => undefined;
  return {
    nodeId: run.nodeId,
    facts: () => run,
    leader: () => null,
    returns: () => null,
    cluster: () => null,
    receive: nothing,
    receiveBulk: nothing,
    linked: said,
    unlinked: nothing,
    knowsVoter: () => false,
    isIncumbent: () => false,
    present: () => run.opening,
    reverted: nothing,
    disowned: nothing,
    forkSeen: nothing,
    answer: () => new Promise(nothing),
  };
}
