import type {
  Applied,
  CallOptions,
  Consensus,
  ProposeOptions,
  StateMachine,
} from '@quorate/contracts';
import { QuorateError } from '@quorate/contracts';

/**
 * Consensus of one, in memory: commands are applied in call order, after a turn of the microtask
 * queue, and the log is kept so that others can replay it. `fail` makes calls fail as a cluster
 * would.
 */
export class MemoryConsensus implements Consensus {
  readonly log: Uint8Array[] = [];
  readonly machine: StateMachine;
  /** Runs before each call; throws what the call is to reject with. */
  before: (call: 'propose' | 'readBarrier') => void = () => undefined;
  barrierCount = 0;
  lastOptions: CallOptions | undefined;

  constructor(machine: StateMachine) {
    this.machine = machine;
  }

  async propose(command: Uint8Array, options?: ProposeOptions): Promise<Applied> {
    this.lastOptions = options;
    this.before('propose');
    this.log.push(command);
    const index = this.log.length;
    await Promise.resolve();
    const result = this.machine.apply(command, { index, time: index });
    options?.applied?.();
    this.machine.flush();
    return { result, appliedHere: true };
  }

  async readBarrier(options?: CallOptions): Promise<void> {
    this.lastOptions = options;
    this.barrierCount += 1;
    this.before('readBarrier');
    await Promise.resolve();
  }
}

export function unavailable(): never {
  throw new QuorateError('NO_QUORUM', 'Cannot reach a majority');
}
