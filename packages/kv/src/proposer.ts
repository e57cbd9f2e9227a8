/** Sends transactions through consensus and turns what comes back into results or errors. */
import type { CallOptions, Consensus, Settled } from '@quorate/contracts';
import { QuorateError, isQuorateError } from '@quorate/contracts';
import type { PendingWrites, Target } from './pending.ts';
import type { TxnParts } from './requests.ts';
import { buildCommand, toError } from './requests.ts';
import type { Done, OperationOutcome } from './result.ts';
import { decodeResult } from './result.ts';

/** The proposals made between its making and `stop`. */
export type Recording = {
  readonly stop: () => void;
  /** The smallest revision that one of them wrote, once all have settled; Infinity for none. */
  readonly firstRevision: () => Promise<number>;
};

export class Proposer {
  readonly #consensus: Consensus;
  readonly #pending: PendingWrites;
  readonly #stateBytesMax: number;
  readonly #recordings = new Set<Promise<number>[]>();

  constructor(consensus: Consensus, pending: PendingWrites, stateBytesMax: number) {
    this.#consensus = consensus;
    this.#pending = pending;
    this.#stateBytesMax = stateBytesMax;
  }

  /**
   * Proposes before it returns, so that calls take effect in call order. `interpret` makes the
   * caller's result and throws where that is an error, such as `CONFLICT`.
   */
  propose<T>(
    parts: TxnParts,
    action: string,
    options: CallOptions,
    interpret: (done: Done) => T,
  ): Promise<T> {
    const command = buildCommand(parts, this.#stateBytesMax, action);
    let revision = Infinity;
    const proposed = this.#send(command, writtenTargets(parts), options, (bytes) => {
      const result = decodeResult(bytes);
      if (result.type === 'refused') throw toError(result, action);
      if (result.results.some(wrote)) revision = result.revision;
      return interpret(result);
    });
    for (const recording of this.#recordings) {
      recording.push(
        proposed.then(
          () => revision,
          () => revision,
        ),
      );
    }
    return proposed;
  }

  record(): Recording {
    const recorded: Promise<number>[] = [];
    this.#recordings.add(recorded);
    return {
      stop: () => this.#recordings.delete(recorded),
      firstRevision: async () => Math.min(...(await Promise.all(recorded))),
    };
  }

  async #send<T>(
    command: Uint8Array,
    targets: readonly Target[],
    options: CallOptions,
    read: (result: Uint8Array) => T,
  ): Promise<T> {
    const { applied, end } = this.#pending.begin(targets);
    try {
      const { result } = await this.#consensus.propose(command, { ...options, applied });
      return read(result);
    } catch (error) {
      throw inDoubt(error, read);
    } finally {
      end();
    }
  }
}

function wrote(outcome: OperationOutcome): boolean {
  return outcome.type === 'delete' ? outcome.deleted > 0 : outcome.type !== 'get';
}

/** Lets `settle()` of a doubt answer with the call's own result instead of a command's bytes. */
function inDoubt<T>(error: unknown, read: (bytes: Uint8Array) => T): unknown {
  if (!isQuorateError(error, 'COMMIT_UNKNOWN')) return error;
  return new QuorateError('COMMIT_UNKNOWN', error.message, {
    cause: error,
    outcome: error.outcome,
    details: error.details,
    settle: async () => settled(await error.settle(), read),
  });
}

function settled<T>(doubt: Settled, read: (bytes: Uint8Array) => T): Settled {
  if (doubt.outcome !== 'applied' || !(doubt.result instanceof Uint8Array)) return doubt;
  try {
    return { outcome: 'applied', result: read(doubt.result) };
  } catch (error) {
    // It came to a refusal or a conflict: nothing was written.
    if (isQuorateError(error)) return { outcome: 'not-applied', result: error };
    throw error;
  }
}

function writtenTargets(parts: TxnParts): readonly Target[] {
  const written: Target[] = [];
  for (const operation of [...(parts.then ?? []), ...(parts.else ?? [])]) {
    if (operation.type === 'get') continue;
    written.push(operation.type === 'delete' ? operation.selector : { key: operation.key });
  }
  return written;
}
