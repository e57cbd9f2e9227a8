/** Deliberate bugs of refusals that last: branches of a replica's history, marks, whose word counts. */
import type { Bug } from './bug.ts';

export const branchBugs: readonly Bug[] = [
  {
    id: 'cure-by-a-higher-epoch',
    what: 'a refused branch is heard once its epochs are beyond those known',
    breaks: 'Z38, Z48',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/links/witnesses.ts',
        find: "if (relation !== 'fork') return null;",
        replace: "if (relation !== 'fork' || epoch > known.epoch) return null;",
      },
      {
        file: 'cluster/src/links/witnesses.ts',
        find: 'return comesFrom(run, one.root) || comesFrom(run, one.tip);',
        replace:
          'return run.epoch <= one.tip.epoch && (comesFrom(run, one.root) || comesFrom(run, one.tip));',
      },
    ],
  },
  {
    id: 'forget-refusals-at-restart',
    what: 'whoever refused a branch knows nothing of it after a restart',
    breaks: 'Z38',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/member/member-cache.ts',
        find: "refused: await readable(() => refusedFrom(map['refused']), []),",
        replace: 'refused: [],',
      },
    ],
  },
  {
    id: 'end-unmarked',
    what: 'a replica that must not go on ends without a mark beside its log',
    breaks: 'Z38',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/member/member.ts',
        find: 'await this.#opened?.storage.mark(mark);',
        replace: 'await Promise.resolve(mark);',
      },
    ],
  },
  {
    id: 'refuse-a-late-word',
    what: 'a run before the known one is refused, and its branch with it',
    breaks: 'Z48',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/links/witnesses.ts',
        find: "case 'earlier':\n        return { type: 'late' };",
        replace:
          "case 'earlier':\n        return { type: 'refused', error: new QuorateError('REPLICA_ROLLED_BACK', 'late') };",
      },
    ],
  },
  {
    id: 'believe-the-higher-epoch',
    what: 'a copy takes the place of its original, which still answers',
    breaks: 'Z48',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/links/admission.ts',
        find: 'const isAlive = await this.#isAlive(linked, facts.nodeId);',
        replace:
          'const isAlive = (await this.#isAlive(linked, facts.nodeId)) && facts.epoch === 0;',
      },
    ],
  },
  {
    id: 'incumbent-halts-for-a-clone',
    what: 'an original that meets its copy ends, whoever hears it',
    breaks: 'Z48',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/links/admission.ts',
        find: 'const error = clonedError(facts, text);',
        replace:
          'const error = clonedError(facts, text);\n    own.disowned({ error, by: host, byVoter: true, others: [], otherHost: host });',
      },
      {
        file: 'cluster/src/member/member.ts',
        find: 'if (!byVoter || this.isIncumbent()) {',
        replace: 'if (!byVoter) {',
      },
    ],
  },
  {
    id: 'believe-a-learners-index',
    what: 'what somebody without a vote says of a run ends it',
    breaks: 'Z54',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/member/member.ts',
        find: 'if (!byVoter || this.isIncumbent()) {',
        replace: 'if (this.isIncumbent()) {',
      },
    ],
  },
  {
    id: 'evict-witnesses-of-voters',
    what: 'what a voter swore is forgotten when enough visitors came by',
    breaks: 'Z54',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/links/witnesses.ts',
        find: 'const others = [...this.#known.values()].filter(({ nodeId }) => !this.#voters.has(nodeId));',
        replace: 'const others = [...this.#known.values()];',
      },
    ],
  },
  {
    id: 'hear-who-was-put-back',
    what: 'a run is known by its name, whatever it remembers of what it did',
    breaks: 'Z72',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/links/admission.ts',
        find: 'const error = this.#forgetful(peer, facts);',
        replace: 'const error = facts.epoch === 0 ? this.#forgetful(peer, facts) : null;',
      },
      {
        file: 'cluster/src/links/admission.ts',
        find: 'if (lacks === null && isDrawn && heard?.forgot !== true) continue;',
        replace: 'if (lacks === null || run.epoch > 0) continue;',
      },
    ],
  },
  {
    id: 'never-learn-of-being-put-back',
    what: 'a run that was put back hears that others remember more, and goes on',
    breaks: 'Z72',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/links/admission.ts',
        find: 'if (hello.runs.some(({ nodeId }) => replica.knowsVoter(nodeId))) replica.reverted(error);',
        replace: '',
      },
    ],
  },
  {
    id: 'keep-the-seat-of-the-refused',
    what: 'a replica that was refused keeps its seat as one that may come back',
    breaks: 'Z55',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/membership/autopilot.ts',
        find: 'refused: this.#isRefused(id, now),',
        replace: 'refused: false,',
      },
    ],
  },
  {
    id: 'open-with-any-secret',
    what: 'a replica is opened whatever secret its host was started with',
    breaks: 'Z42, T4',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/member/member.ts',
        find: 'topics: this.#options.topics?.(),',
        replace: 'topics: undefined,',
      },
    ],
  },
  {
    id: 'count-an-unsigned-run',
    what: 'a run counts that its replica did not sign',
    breaks: 'Z39',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/links/signed-run.ts',
        find: 'if (proof === null) return false;',
        replace: 'if (proof === null) return true;',
      },
      {
        file: 'cluster/src/links/signed-run.ts',
        find: 'return this.#signer.verify(run.nodeId, statementOf(run, before, host), proof);',
        replace: 'return proof.length > 0;',
      },
    ],
  },
  {
    id: 'tell-nobody-of-a-refusal',
    what: 'a refusal is known to those alone who saw the copy',
    breaks: 'Z38',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/links/admission.ts',
        find: 'for (const told of isVoters ? hello.refused : []) {',
        replace: 'for (const told of isVoters ? [] : hello.refused.slice(0, 0)) {',
      },
    ],
  },
];
