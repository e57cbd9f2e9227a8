/**
 * The way of a body into the log: into the own core when this replica leads, else to the leader
 * over rpc. One hop: whoever is asked and does not lead refuses, and the asker tries the next one.
 */
import type { EntryId, NodeId, ProposeResult } from '@quorate/core';
import { ByteReader, ByteWriter, onAbort, QuorateError } from '@quorate/contracts';
import { decodeBody } from '../state/envelope.ts';
import type { ProposalRoute } from './proposals.ts';
import type { RequestOptions } from '../links/rpc.ts';
import type { AppliedEntry } from '../state/replicated-state.ts';
import type { CommandOutcome } from '../state/sessions.ts';

export type ForwardingOptions = {
  readonly nodeId: NodeId;
  readonly leader: () => NodeId | null;
  readonly isLinked: (nodeId: NodeId) => boolean;
  readonly request: (
    to: NodeId,
    method: string,
    body: Uint8Array,
    options: RequestOptions,
  ) => Promise<Uint8Array>;
  /** Stamps and proposes as leader. `wait`: not activated or formed yet, so nothing may be acknowledged. */
  readonly propose: (bodies: readonly Uint8Array[]) => ProposeResult | 'wait';
  /** Why a command is not taken now (T20); null: it is. */
  readonly refusal: (command: Uint8Array) => QuorateError | null;
  readonly timeoutMs: number;
};

type Batch = {
  readonly outcomes: (CommandOutcome | null)[];
  missing: number;
  readonly resolve: (answer: Uint8Array) => void;
  readonly reject: (error: QuorateError) => void;
};

export class Forwarding implements ProposalRoute {
  readonly #options: ForwardingOptions;
  /** Entries that others had proposed here, by index. */
  readonly #waiting = new Map<number, { term: number; batch: Batch; position: number }>();

  constructor(options: ForwardingOptions) {
    this.#options = options;
  }

  send(
    bodies: readonly Uint8Array[],
    onResult: (position: number, outcome: CommandOutcome) => void,
    onLost: () => void,
  ): 'taken' | 'wait' | 'overloaded' {
    const leader = this.#options.leader();
    if (leader === null) return 'wait';
    if (leader === this.#options.nodeId) {
      const result = this.#options.propose(bodies);
      if (result === 'wait') return 'wait';
      if (result.ok) return 'taken';
      return result.reason === 'overloaded' ? 'overloaded' : 'wait';
    }
    if (!this.#options.isLinked(leader)) return 'wait';
    this.#options
      .request(leader, 'propose', encodeBodies(bodies), { timeoutMs: this.#options.timeoutMs })
      .then(
        (answer) => {
          decodeOutcomes(answer).forEach((outcome, position) => {
            if (outcome !== null) onResult(position, outcome);
          });
        },
        () => onLost(),
      )
      // An answer that cannot be read is as good as none.
      .catch(() => onLost());
    return 'taken';
  }

  /**
   * Serves another member's `propose`: answers once all of its bodies are applied here. Errors:
   * `NO_LEADER`, `OVERLOADED`, `STORAGE_FULL` (nothing was taken), `BAD_REQUEST`.
   */
  serve(body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const bodies = decodeBodies(body);
    for (const one of bodies) {
      const decoded = decodeBody(one);
      const { type } = decoded;
      if (type !== 'command' && type !== 'resolve' && type !== 'openSession') {
        throw new QuorateError('BAD_REQUEST', `Cannot take a forwarded ${type}`);
      }
      const refusal = type === 'command' ? this.#options.refusal(decoded.command) : null;
      if (refusal !== null) throw refusal;
    }
    const result = this.#options.propose(bodies);
    if (result === 'wait') throw notLeading();
    if (!result.ok) {
      if (result.reason === 'overloaded') {
        throw new QuorateError('OVERLOADED', 'Cannot take more proposals now');
      }
      throw notLeading();
    }
    return new Promise((resolve, reject) => {
      const batch: Batch = {
        outcomes: bodies.map(() => null),
        missing: bodies.length,
        resolve: (outcomes) => {
          forget();
          resolve(outcomes);
        },
        reject: (error) => {
          forget();
          reject(error);
        },
      };
      bodies.forEach((_, position) => {
        this.#waiting.set(result.firstIndex + position, { term: result.term, batch, position });
      });
      const forget = onAbort(signal, () => {
        bodies.forEach((_, position) => {
          const index = result.firstIndex + position;
          if (this.#waiting.get(index)?.batch === batch) this.#waiting.delete(index);
        });
        reject(new QuorateError('TIMEOUT', 'Not applied in time', { outcome: 'unknown' }));
      });
    });
  }

  applied({ index, term, event }: AppliedEntry): void {
    const waiting = this.#waiting.get(index);
    if (waiting === undefined) return;
    this.#waiting.delete(index);
    if (waiting.term !== term) {
      waiting.batch.reject(notLeading());
      return;
    }
    waiting.batch.outcomes[waiting.position] = event.type === 'outcome' ? event.outcome : null;
    waiting.batch.missing -= 1;
    if (waiting.batch.missing === 0) waiting.batch.resolve(encodeOutcomes(waiting.batch.outcomes));
  }

  /** These entries will never be at these places: the asker sends again. */
  truncated(ids: readonly EntryId[]): void {
    for (const { index, term } of ids) {
      const waiting = this.#waiting.get(index);
      if (waiting?.term !== term) continue;
      this.#waiting.delete(index);
      waiting.batch.reject(notLeading());
    }
  }

  /** A snapshot jumped over what was waited for. */
  restored(appliedIndex: number): void {
    for (const [index, { batch }] of this.#waiting) {
      if (index > appliedIndex) continue;
      this.#waiting.delete(index);
      batch.reject(notLeading());
    }
  }
}

function notLeading(): QuorateError {
  return new QuorateError('NO_LEADER', 'Cannot propose: this member does not lead now');
}

export function encodeBodies(bodies: readonly Uint8Array[]): Uint8Array {
  const length = bodies.reduce((sum, body) => sum + body.length + 4, 8);
  const writer = new ByteWriter(length).varint(bodies.length);
  for (const body of bodies) writer.block(body);
  return writer.finish();
}

function decodeBodies(bytes: Uint8Array): Uint8Array[] {
  const reader = new ByteReader(bytes);
  const count = reader.varint();
  if (count === 0 || count > reader.remaining) {
    throw new QuorateError('BAD_REQUEST', `Cannot take ${count} bodies`);
  }
  const bodies: Uint8Array[] = [];
  for (let i = 0; i < count; i++) bodies.push(reader.block());
  reader.end();
  return bodies;
}

const outcomeKinds = [
  'result',
  'dead',
  'gap',
  'forgotten',
  'overloaded',
  'conflict',
  'expired',
] as const;
const noOutcome = 255;

export function encodeOutcomes(outcomes: readonly (CommandOutcome | null)[]): Uint8Array {
  const writer = new ByteWriter(outcomes.length * 16).varint(outcomes.length);
  for (const outcome of outcomes) {
    if (outcome === null) {
      writer.u8(noOutcome);
      continue;
    }
    writer.u8(outcomeKinds.indexOf(outcome.type));
    if (outcome.type === 'result') writer.block(outcome.result);
    if (outcome.type === 'gap') writer.varint(outcome.nextSeq);
  }
  return writer.finish();
}

export function decodeOutcomes(bytes: Uint8Array): (CommandOutcome | null)[] {
  const reader = new ByteReader(bytes);
  const count = reader.varint();
  if (count > reader.remaining) throw new QuorateError('BAD_REQUEST', 'Cannot read outcomes');
  const outcomes: (CommandOutcome | null)[] = [];
  for (let i = 0; i < count; i++) {
    const kind = reader.u8();
    const type = outcomeKinds[kind];
    if (kind === noOutcome) outcomes.push(null);
    else if (type === undefined) throw new QuorateError('BAD_REQUEST', 'Cannot read an outcome');
    else if (type === 'result') {
      outcomes.push({ type, result: reader.block(), repeated: false });
    } else if (type === 'gap') outcomes.push({ type, nextSeq: reader.varint() });
    else outcomes.push({ type });
  }
  return outcomes;
}
