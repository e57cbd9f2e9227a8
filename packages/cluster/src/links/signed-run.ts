/**
 * What a replica with a key signs once at each opening (Z39): which run it is, which one it follows, and
 * at which host. A host is authenticated by its link, so a signed run is heard from nobody else; and
 * whoever tells of a run, as a witness or of a refusal, shows what that run itself signed.
 *
 * Loaded where replicas have keys, and nowhere else: tabs of one origin are its boundary of trust, and
 * have none.
 */
import type { NodeId } from '@quorate/core';
import { encodeCbor, QuorateError } from '@quorate/contracts';
import type { HostId, RandomBytes, Run, RunSigner } from '@quorate/contracts';
import type { RefusedBranch } from './witness-records.ts';

export class SignedRuns {
  readonly #signer: RunSigner;
  /** Each run is signed once, for it says its proof in every hello. */
  readonly #proofs = new WeakMap<object, { readonly host: HostId; readonly proof: Uint8Array }>();

  constructor(signer: RunSigner) {
    this.#signer = signer;
  }

  /** A new replica; see `RunSigner`. */
  create(random: RandomBytes): { readonly nodeId: NodeId; readonly key: string } {
    return this.#signer.create(random);
  }

  /** What a replica says of its own run; null for one without a key, which nobody hears. */
  proof(key: string | null, run: Named, host: HostId): Uint8Array | null {
    if (key === null) return null;
    const known = this.#proofs.get(run);
    if (known?.host === host) return known.proof;
    const proof = this.#signer.sign(key, statementOf(run, run.past[0] ?? null, host));
    this.#proofs.set(run, { host, proof });
    return proof;
  }

  /** Did this run itself say that it is one, at this host? */
  isSigned(run: Named & Proven, host: HostId): boolean {
    return this.#verify(run, run.past[0] ?? null, host, run.proof);
  }

  /** Z39: why nobody is heard who says that he is this run, at this host; null: he may be. */
  objection(run: Named & Proven, host: HostId): QuorateError | null {
    if (this.isSigned(run, host)) return null;
    const text = `Cannot hear run ${run.epoch} of ${run.nodeId} at ${host}: its replica did not sign it`;
    return new QuorateError('BAD_REQUEST', text);
  }

  /**
   * What a told refusal shows by itself; null: nothing. Its tip is a run of the replica, as the tip signed;
   * it begins with the run before that, as the tip signed too. Where it says that it begins earlier, it
   * could name a run of an honest branch, and is not believed.
   */
  shown(told: RefusedBranch): RefusedBranch | null {
    const { nodeId, root, tip, before, host, proof } = told;
    if (!this.#verify({ nodeId, ...tip }, before, host, proof)) return null;
    const isShown = root.nonce === before && root.epoch === tip.epoch - 1;
    return isShown ? told : { ...told, root: tip };
  }

  #verify(
    run: Pick<Run, 'nodeId' | 'epoch' | 'nonce'>,
    before: string | null,
    host: HostId,
    proof: Uint8Array | null,
  ): boolean {
    if (proof === null) return false;
    return this.#signer.verify(run.nodeId, statementOf(run, before, host), proof);
  }
}

/** A run, as far as its signature names it. */
type Named = Pick<Run, 'nodeId' | 'epoch' | 'nonce' | 'past'>;
type Proven = { readonly proof: Uint8Array | null };

function statementOf(
  { nodeId, epoch, nonce }: Pick<Run, 'nodeId' | 'epoch' | 'nonce'>,
  before: string | null,
  host: HostId,
): Uint8Array {
  return encodeCbor({ nodeId, epoch, nonce, before, host });
}
