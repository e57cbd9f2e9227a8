/** Deliberate bugs of members: sessions, reads, formation, identity, snapshots, watches. */
import type { Bug } from './bug.ts';
import { branchBugs } from './branch-bugs.ts';

export const clusterBugs: readonly Bug[] = [
  {
    id: 'snapshot-without-sessions',
    what: 'a snapshot forgets the session table',
    breaks: 'Z25, S4',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/state/replicated-state.ts',
        find: 'sessions: sessions.toCbor(),',
        replace: 'sessions: [],',
      },
    ],
  },
  {
    id: 'snapshot-at-a-wrong-index',
    what: 'a snapshot says it holds one entry less than it does',
    breaks: 'S1',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/replica/snapshotter.ts',
        find: 'const meta = raft.snapshotMetaAt(state.appliedIndex);',
        replace: 'const meta = raft.snapshotMetaAt(state.appliedIndex - 1);',
      },
    ],
  },
  {
    id: 'snapshot-with-a-later-membership',
    what: 'a snapshot carries the newest membership, committed or not',
    breaks: 'M4',
    suite: 'cluster',
    edits: [
      {
        file: 'core/src/raft.ts',
        find: '= memberships.at(index);',
        replace: '= memberships.current;',
      },
    ],
  },
  {
    id: 'snapshot-without-history',
    what: 'a snapshot forgets the revisions that watches read',
    breaks: 'K7',
    suite: 'cluster',
    edits: [
      {
        file: 'kv/src/history.ts',
        find: 'const first = this.#first;\n    const end = revisions.length;',
        replace:
          'const first = this.#first + (this.#length >> 1);\n    const end = revisions.length;',
      },
      {
        file: 'kv/src/history.ts',
        find: 'oldestRevision: this.oldestRevision,\n      revisions: function* () {',
        replace:
          'oldestRevision: this.oldestRevision + (this.#length >> 1),\n      revisions: function* () {',
      },
    ],
  },
  {
    id: 'open-an-unknown-session',
    what: 'a command of an expired session opens a new one silently',
    breaks: 'Z25',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/state/sessions.ts',
        find: "const session = this.#sessions.get(body.session);\n    if (session === undefined) return { type: 'expired' };\n    session.seenAt = time;\n    forget(session, body.firstUnacked);\n    if (body.seq < session.nextSeq) return repeated(session, body.seq, hashBytes(body.command));",
        replace:
          "if (!this.#sessions.has(body.session)) this.open(body.session, '', time);\n    const session = this.#sessions.get(body.session) as Session;\n    if (session.nonce === '') session.nextSeq = Math.max(session.nextSeq, body.seq);\n    session.seenAt = time;\n    forget(session, body.firstUnacked);\n    if (body.seq < session.nextSeq) return repeated(session, body.seq, hashBytes(body.command));",
      },
    ],
  },
  {
    id: 'expire-by-the-leaders-memory',
    what: 'a leader ends sessions in its own state, without an entry',
    breaks: 'Z27',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/membership/autopilot.ts',
        find: "this.#options.proposeOwn(encodeBody({ type: 'sessions', seen, expired }));",
        replace:
          "state.sessions.renewAndExpire([], expired, state.time);\n    this.#options.proposeOwn(encodeBody({ type: 'sessions', seen, expired: [] }));",
      },
    ],
  },
  {
    id: 'expire-who-was-never-waited-for',
    what: 'a new leader ends sessions that it has not waited for itself',
    breaks: 'Z27',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/membership/autopilot.ts',
        find: 'this.#waitingSince > deadline',
        replace: 'this.#waitingSince > now',
      },
      {
        file: 'cluster/src/membership/autopilot.ts',
        find: '.unseenSince(state.time - policy.sessionLifetimeMs)\n',
        replace: '.unseenSince(state.time + 1)\n',
      },
    ],
  },
  {
    id: 'apply-a-repeated-command',
    what: 'a command that comes twice is applied twice',
    breaks: 'C1, Z26',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/state/sessions.ts',
        find: 'if (body.seq < session.nextSeq) return repeated(session, body.seq, hashBytes(body.command));',
        replace: '',
      },
    ],
  },
  {
    id: 'skip-a-gap',
    what: 'a command is applied before the one called earlier',
    breaks: 'Z26',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/state/sessions.ts',
        find: "if (body.seq > session.nextSeq) return { type: 'gap', nextSeq: session.nextSeq };\n    if (session.kept.size",
        replace: 'if (session.kept.size',
      },
    ],
  },
  {
    id: 'forget-results-too-early',
    what: 'a result is forgotten although its client does not have it',
    breaks: 'Z26, Z28',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/state/sessions.ts',
        find: 'const result = run();',
        replace: 'const result = run();\n    forget(session, body.seq);',
      },
      {
        file: 'cluster/src/state/sessions.ts',
        find: "if (kept === undefined) return { type: 'forgotten' };",
        replace: "if (kept === undefined) return { type: 'dead' };",
      },
    ],
  },
  {
    id: 'resolve-without-an-end',
    what: 'a command that was resolved as never applied is applied after all',
    breaks: 'Z28, C3',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/state/sessions.ts',
        find: "keep(session, body.seq, { hash: 0, result: null });\n    return { type: 'dead' };",
        replace: "return { type: 'dead' };",
      },
    ],
  },
  {
    id: 'doubt-becomes-not-applied',
    what: 'what happened to a lost session is told as "not applied"',
    breaks: 'Z28',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/replica/proposals.ts',
        find: "slot.settled = { outcome: 'unknown' };",
        replace: "slot.settled = { outcome: 'not-applied' };",
      },
    ],
  },
  {
    id: 'read-before-applied',
    what: 'a confirmed read is answered before this member has applied so far',
    breaks: 'R5',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/replica/reads.ts',
        find: 'if (index > applied) continue;',
        replace: 'void applied;',
      },
    ],
  },
  {
    id: 'apply-twice-after-a-restart',
    what: 'a restarted replica applies again what its state already holds',
    breaks: 'S1',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/member/member.ts',
        find: 'appliedIndex: state.appliedIndex };',
        replace: 'appliedIndex: loaded.snapshot?.index ?? 0 };',
      },
      {
        file: 'cluster/src/state/replicated-state.ts',
        find: "assert(entry.index === this.#appliedIndex + 1, 'entries are applied one by one, in order');",
        replace: '',
      },
    ],
  },
  {
    id: 'join-batches-by-dropping',
    what: 'of two batches joined into one write the first is lost',
    breaks: 'Z22',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/replica/turn.ts',
        find: 'entries: kept.length === 0 ? second.entries : [...kept, ...second.entries],',
        replace: 'entries: second.entries.length > 0 ? second.entries : kept,',
      },
    ],
  },
  {
    id: 'tell-persisted-too-early',
    what: 'the core hears that a batch is durable while it is being written',
    breaks: 'Z22',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/replica/turn.ts',
        find: 'await storage.persist(work.batch);',
        replace:
          'const written = storage.persist(work.batch);\n        this.#raft.persisted(work.batch.number);\n        this.schedule();\n        await written;',
      },
    ],
  },
  {
    id: 'found-without-the-register',
    what: 'whoever loses the claim founds a cluster all the same',
    breaks: 'Z9, Z10, Z13',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/formation/formation.ts',
        find: "return ok ? { type: 'found', clusterId, generation, beside: living } : null;",
        replace: "void ok;\n  return { type: 'found', clusterId, generation, beside: living };",
      },
    ],
  },
  {
    id: 'claim-without-looking',
    what: 'a fresh replica claims an empty register whoever is announced',
    breaks: 'Z41',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/formation/formation.ts',
        find: 'if (care !== null && living.length > 0 && !options.inSpite) {',
        replace: 'if (care !== null && living.length < 0) {',
      },
    ],
  },
  {
    id: 'restore-without-a-quorum-read',
    what: 'a member that hears nobody writes its cluster into the register',
    breaks: 'Z58',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/formation/register-care.ts',
        find: 'await member.confirm(signal);',
        replace: '',
      },
    ],
  },
  {
    id: 'restore-over-a-higher-counter',
    what: 'a member writes its generation into the register beside a later one',
    breaks: 'Z58',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/formation/register-care.ts',
        find: 'if (others.length === 0) return;',
        replace: 'if (others.length >= 0) return;',
      },
    ],
  },
  {
    id: 'restore-over-a-claim',
    what: 'a member writes its cluster over what somebody else claimed',
    breaks: 'Z58',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/formation/register-care.ts',
        find: 'if (record !== null && !isOurs(record, member)) throw takenBy(record, member);\n    const',
        replace: 'const',
      },
      {
        file: 'cluster/src/formation/register-care.ts',
        find: 'if (record !== null && !isOurs(record, member)) throw takenBy(record, member);\n  } finally',
        replace: 'void record;\n  } finally',
      },
    ],
  },
  {
    id: 'superseded-by-a-dead-generation',
    what: 'a living cluster gives itself up for a record of a generation before it',
    breaks: 'Z58',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/formation/claim.ts',
        find: "state === 'active' && counter >= generation",
        replace: "state === 'active' && counter >= 0",
      },
      {
        file: 'cluster/src/member/member.ts',
        find: 'if (by.generation < generation) return;',
        replace: 'if (by.generation < 0) return;',
      },
    ],
  },
  {
    id: 'acknowledge-before-active',
    what: 'a cluster acknowledges before the register calls it active',
    breaks: 'Z10',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/replica/replica.ts',
        find: "if (!this.#state.activated) {\n      this.#activation.begin();\n      return 'wait';\n    }\n    return this.#proposeStamped(bodies);",
        replace: 'return this.#proposeStamped(bodies);',
      },
    ],
  },
  {
    id: 'write-before-the-copies',
    what: 'a write is taken before as many disks hold the data as expected',
    breaks: 'Z14',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/replica/replica.ts',
        find: "if (this.#state.activated && !this.#state.formed) return 'wait';",
        replace: '',
      },
    ],
  },
  {
    id: 'formed-without-the-copies',
    what: 'a leader says that there are as many copies as expected, and does not count',
    breaks: 'Z14',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/membership/activation.ts',
        find: 'if (durableCopies() < (state.genesis?.policy.expect ?? 1)) return;',
        replace: 'void durableCopies;',
      },
    ],
  },
  {
    id: 'vote-in-the-silence',
    what: 'a restarted run votes before its silence ended',
    breaks: 'Z3',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/replica/silence.ts',
        find: 'if (epoch === 1) return 0;',
        replace: 'if (epoch > 0) return 0;',
      },
      {
        file: 'cluster/src/replica/silence.ts',
        find: 'withholds(message: Message): boolean {\n    if (this.isOver) return false;',
        replace: 'withholds(message: Message): boolean {\n    if (message.term >= 0) return false;',
      },
    ],
  },
  {
    id: 'vote-in-a-foreign-cluster',
    what: 'messages of another cluster are heard',
    breaks: 'Z12',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/member/member.ts',
        find: 'if (sender.clusterId !== genesis?.clusterId || sender.generation !== genesis.generation) return;',
        replace: 'void genesis;\n    void sender;',
      },
    ],
  },
  {
    id: 'accept-a-rolled-back-log',
    what: 'a replica restored from a backup is heard',
    breaks: 'Z3',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/links/witnesses.ts',
        find: "if (relation === 'same' || relation === 'earlier') return null;",
        replace: 'if (known.epoch > 0) return null;',
      },
    ],
  },
  {
    id: 'ignore-the-run',
    what: 'a second run that claims a known epoch is heard',
    breaks: 'Z1, Z3',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/links/branch.ts',
        find: "if (ours !== theirs) return 'fork';",
        replace: "if (ours !== theirs) return known.epoch === run.epoch ? 'same' : 'fork';",
      },
    ],
  },
  {
    id: 'watch-skips-a-revision',
    what: 'a watch moves on while nobody waits for it',
    breaks: 'K1, K3',
    suite: 'cluster',
    edits: [
      {
        file: 'kv/src/watch.ts',
        find: 'if (this.#waiters.length === 0) return;',
        replace: '',
      },
    ],
  },
  {
    id: 'watch-repeats-after-a-restore',
    what: 'a watch sees again what an installed snapshot holds',
    breaks: 'K1',
    suite: 'cluster',
    edits: [
      {
        file: 'kv/src/watch.ts',
        find: 'if (restored) this.#checkCluster();\n        this.#advance();',
        replace:
          'if (restored) this.#checkCluster();\n        if (restored && this.#cursor !== null) this.#cursor = Math.max(1, this.#cursor - 1);\n        this.#advance();',
      },
    ],
  },
  {
    id: 'snapshot-to-disk-undecoded',
    what: 'a snapshot is stored before anybody looked whether it can be read',
    breaks: 'Z40, T8',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/replica/snapshot-transfer.ts',
        find: 'restore = this.#options.decode(whole, meta);',
        replace: 'restore = () => this.#options.decode(whole, meta)();',
      },
    ],
  },
  {
    id: 'bulk-from-anybody',
    what: 'a snapshot is taken from somebody who does not lead',
    breaks: 'Z62, T8',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/replica/snapshot-transfer.ts',
        find: '} else if (!this.#options.leads(from)) this.#refuseStray(from, id);',
        replace: '} else if (id < 0) this.#refuseStray(from, id);',
      },
    ],
  },
  {
    id: 'install-without-bytes',
    what: 'the core hears of a snapshot whose bytes never came',
    breaks: 'Z40, T8',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/replica/replica.ts',
        find: "if (message.type === 'InstallSnapshot') {",
        replace: "if (message.type === 'InstallSnapshot' && message.term < 0) {",
      },
    ],
  },
  {
    id: 'full-disk-refuses-what-left',
    what: 'on full disks a command that left is refused, whatever becomes of it',
    breaks: 'T20, Z28',
    suite: 'cluster',
    edits: [
      {
        file: 'cluster/src/replica/proposals.ts',
        find: '      slot.withdrawn = refusal;',
        replace: '      slot.withdrawn = refusal;\n      slot.reject(refusal);',
      },
    ],
  },
  ...branchBugs,
];
