/** Deliberate bugs of replicas in one page: one's own lateness, and what neighbours see of each other. */
import type { Bug } from './bug.ts';

export const pageBugs: readonly Bug[] = [
  {
    id: 'stand-against-a-neighbour',
    what: 'whoever hears no heartbeat stands for election, although it sees its leader beside it',
    breaks: 'Z61, T11',
    suite: 'cluster',
    edits: [
      {
        file: 'core/src/machine.ts',
        find: 'return this.neighbours.someLeadsFrom(this.currentTerm);',
        replace: 'return this.neighbours.someLeadsFrom(this.currentTerm + 2 ** 40);',
      },
    ],
  },
  {
    id: 'count-a-whole-pause',
    what: 'a page that stood still takes all of that time for the others’ silence',
    breaks: 'Z44, T11',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/replica/replica.ts',
        find: 'const isLate = passed * tickMs > lateMs;',
        replace: 'const isLate = passed * tickMs > lateMs * 2 ** 40;',
      },
    ],
  },
  {
    id: 'trust-a-neighbour-that-stepped-down',
    what: 'a neighbour that led counts as the leader for as long as it is there',
    breaks: 'Z61',
    suite: 'cluster',
    edits: [
      {
        file: 'core/src/neighbours.ts',
        find: 'this.#terms.set(nodeId, term);',
        replace: 'if (term !== null || !this.#terms.has(nodeId)) this.#terms.set(nodeId, term);',
      },
      {
        file: 'core/src/neighbours.ts',
        find: 'if (led !== null && led >= term) return true;',
        replace: 'if (led !== null && led >= term - 2 ** 20) return true;',
      },
      {
        file: 'core/src/raft.ts',
        find: 'if (m.leader !== nodeId || term === m.currentTerm) return;',
        replace:
          'if (m.leader !== nodeId || term === m.currentTerm || m.leadership === null) return;',
      },
    ],
  },
  {
    id: 'end-a-leadership-untold',
    what: 'whoever steps down leaves its neighbours to find that out when they look the next time',
    breaks: 'Z61',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/replica/neighbours.ts',
        find: 'for (const other of this.besides(one)) other.look();',
        replace: 'for (const other of one.leads() === null ? [] : this.besides(one)) other.look();',
      },
    ],
  },
];
