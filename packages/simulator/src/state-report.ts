/** Where a world's events go: into a log for a person, and into a trace for a program. */
import type { NodeId } from '@quorate/core';
import { describeEvent, traceLine } from './state-trace.ts';
import type { StateEvent, StateObserver } from './state-trace.ts';
import type { VirtualClock } from './virtual-clock.ts';
import type { WorldOptions } from './world.ts';

export class StateReport {
  readonly #clock: VirtualClock;
  readonly #log: ((line: string) => void) | undefined;
  readonly #states: ((line: string) => void) | undefined;
  readonly #roles = new Map<NodeId, string>();

  constructor(clock: VirtualClock, { trace, states }: WorldOptions) {
    this.#clock = clock;
    this.#log = trace;
    this.#states = states;
  }

  /** Whether anybody reads it. */
  get wanted(): boolean {
    return this.#log !== undefined || this.#states !== undefined;
  }

  readonly observer: StateObserver = (node: NodeId, event: StateEvent): void => {
    if (!this.wanted) return;
    const atMs = this.#clock.now();
    this.#states?.(traceLine(atMs, node, event));
    this.#log?.(`${timeText(atMs)} ${node.slice(0, 8)} ${describeEvent(event)}`);
  };

  /** A replica says what it is: one of Raft's roles. A leader is told of by its first word. */
  role(node: NodeId, role: string, term: number): void {
    const now = `${role} ${term}`;
    if (!this.wanted || this.#roles.get(node) === now) return;
    this.#roles.set(node, now);
    const event = events[role];
    if (event !== undefined) this.observer(node, { event, term });
  }

  /** Something that happens to the world, or is done to it. */
  world(text: string): void {
    this.#log?.(`${timeText(this.#clock.now())} world    ${text}`);
  }
}

function timeText(atMs: number): string {
  return atMs.toFixed(3).padStart(11);
}

type Become = 'become-follower' | 'become-pre-candidate' | 'become-candidate';

const events: { readonly [role: string]: Become | undefined } = {
  follower: 'become-follower',
  learner: 'become-follower',
  preCandidate: 'become-pre-candidate',
  candidate: 'become-candidate',
};
