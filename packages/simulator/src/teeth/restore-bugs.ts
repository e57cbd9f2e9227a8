/** Deliberate bugs of backups, of clusters that are restored from them, and of who comes back then. */
import type { Bug } from './bug.ts';

export const restoreBugs: readonly Bug[] = [
  {
    id: 'capture-without-the-barrier',
    what: 'a backup is whatever the member that was asked has applied just then',
    breaks: 'Z43, T2',
    suite: 'restore',
    edits: [
      {
        file: 'cluster/src/member/member.ts',
        find: 'await this.readBarrier(options);\n    const facts',
        replace: 'await Promise.resolve(options);\n    const facts',
      },
    ],
  },
  {
    id: 'capture-that-moves-on',
    what: 'what is written after the capture gets into the backup',
    breaks: 'Z43, T2',
    suite: 'restore',
    edits: [
      {
        file: 'kv/src/store.ts',
        find: 'records: this.#records.clone(),\n      history: this.#history.capture(),',
        replace: 'records: this.#records,\n      history: this.#history.capture(),',
      },
    ],
  },
  {
    id: 'revisions-go-on',
    what: 'a restored cluster counts on from the revision of its backup',
    breaks: 'Z50',
    suite: 'restore',
    edits: [
      {
        file: 'kv/src/generation.ts',
        find: 'return (generation - 1) * revisionsPerGeneration + (revision % revisionsPerGeneration);',
        replace: 'return (generation - generation) * revisionsPerGeneration + revision;',
      },
    ],
  },
  {
    id: 'take-whatever-stands',
    what: 'a name is taken whoever took it since the record was shown',
    breaks: 'Z50, Z52',
    suite: 'restore',
    edits: [
      {
        file: 'cluster/src/formation/claim.ts',
        find: 'setClaim(register, before?.version ?? 0, claim, signal);\n    if (result.ok) return;',
        replace:
          'setClaim(register, before?.version ?? 0, claim, signal);\n    if (!result.ok) await setClaim(register, result.record?.version ?? 0, claim, signal);\n    if (claim.beat === 1) return;',
      },
    ],
  },
  {
    id: 'time-begins-anew',
    what: 'replicated time of a restored cluster begins at nought',
    breaks: 'Z24, Z52',
    suite: 'restore',
    edits: [
      {
        file: 'cluster/src/member/restoring.ts',
        find: 'time: facts.time,\n    activated: true,',
        replace: 'time: 0 * facts.time,\n    activated: true,',
      },
    ],
  },
  {
    id: 'go-on-beside-a-later-generation',
    what: 'members of before do not heed the register that names a later generation',
    breaks: 'Z12, Z52',
    suite: 'restore',
    edits: [
      {
        file: 'cluster/src/formation/claim.ts',
        find: "const supersedes = state === 'active' && counter >= generation;",
        replace: "const supersedes = state === 'active' && counter === generation;",
      },
    ],
  },
];
