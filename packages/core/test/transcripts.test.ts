/**
 * Every transcript of `testdata`, once more: whatever happens must be what is written there.
 * `npx vitest run --project core transcripts -u` writes anew what happens; read the difference, and
 * keep it only if you can say why it changed.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Message, Ready } from '../src/index.ts';
import { disk, entry, id, membershipEntry, voters } from './network.ts';
import { SafetyChecks } from './transcript-checks.ts';
import type { CheckedMember } from './transcript-checks.ts';
import { rewriteTranscript, titleOf } from './transcript.ts';

const directory = new URL('testdata/', import.meta.url);
const names = readdirSync(directory).filter((name) => name.endsWith('.txt'));

describe('transcripts', () => {
  for (const name of names) {
    const text = readFileSync(new URL(name, directory), 'utf8');
    test(`${name}: ${titleOf(text, name)}`, async () => {
      await expect(rewriteTranscript(text, name)).toMatchFileSnapshot(`testdata/${name}`);
    });
  }

  test('are all there', () => {
    expect(names.length).toBeGreaterThanOrEqual(100);
  });
});

describe('rewriteTranscript()', () => {
  const elected = '# one\n\n> cluster 1\n> settle\n';

  test('keeps words and commands, and writes what happens in the place of what is there', () => {
    const once = rewriteTranscript(`${elected}  nonsense\n# two\n> status\n`, 'a.txt');
    expect(once.split('\n')).toEqual([
      '# one',
      '',
      '> cluster 1',
      '> settle',
      '  1 soft candidate term 2 leader none',
      '  1 persist 1 term 2 voted 1 commit 1',
      '  1 apply 1/1:(1)',
      '  1 soft leader term 2 leader 1',
      '  1 persist 2 term 2 voted 1 commit 1 2/2:noop',
      '  1 apply 2/2:noop',
      '# two',
      '> status',
      '  1 leader term 2 leader 1 voted 1 log 1..2/2 durable 2 commit 2 applied 2 members (1)@1',
      '',
    ]);
    expect(rewriteTranscript(once, 'a.txt')).toBe(once);
  });

  test.each([
    ['no command', '> fly 1', /^a\.txt:5: No command 'fly', wanted one of cluster node /],
    ['no such node', '> campaign 2', /^a\.txt:5: There is no node 2; usage: campaign NODE$/],
    ['no node at all', '> campaign', /^a\.txt:5: No node; usage: /],
    ['a node out of range', '> campaign 10', /^a\.txt:5: 10 is no node, wanted 1 to 9; usage: /],
    ['a member out of range', '> change 1 voters=12', /^a\.txt:5: 12 is no node, wanted 1 to 9; /],
    ['words and a size', '> propose 1 a bytes=4', /^a\.txt:5: Cannot place a; usage: propose /],
    [
      'a count of words',
      '> propose 1 a count=4',
      /^a\.txt:5: Cannot place count=; usage: propose /,
    ],
    ['a word too many', '> campaign 1 now', /^a\.txt:5: Cannot place now; usage: campaign NODE$/],
    ['an option too many', '> propose 1 a size=4', /^a\.txt:5: Cannot place size=; usage: /],
    ['an option twice', '> node 2 term=1 term=2', /^a\.txt:5: term is given twice/],
    ['no number', '> tick many', /^a\.txt:5: count is many, wanted a whole number; usage: /],
    ['a node twice', '> node 1', /^a\.txt:5: Node 1 is there already; usage: /],
    ['a stopped node', '> stop 1\n> propose 1 a', /^a\.txt:6: Node 1 is stopped; usage: /],
    ['a running node', '> start 1', /^a\.txt:5: Node 1 runs already; usage: /],
    ['nothing to deliver', '> deliver 1->2', /^a\.txt:5: Nothing like it is on the wire; usage: /],
    ['nothing to sync', '> sync 1', /^a\.txt:5: Node 1 has nothing to write; usage: /],
    ['no log to begin with', '> node 2 log=1', /^a\.txt:5: voters= and log= belong together/],
    ['a message of no type', '> forge Vote 2->1 term=1', /^a\.txt:5: Cannot forge Vote; usage: /],
    [
      'an id of no entry',
      '> forge PreVote 2->1 term=3 last=4',
      /^a\.txt:5: last=4: wanted last=term/,
    ],
    ['a line of no kind', 'campaign 1', /^a\.txt:5: Cannot read "campaign 1": wanted `# words`, /],
    [
      'an output of nothing',
      '\n  1 soft leader',
      /^a\.txt:6: An output without a command right above/,
    ],
    [
      'what the machine refuses',
      '> propose 1',
      /^a\.txt:5: Cannot propose: no entries, wanted at /,
    ],
  ])('names file and line of %s', (_, line, message) => {
    expect(() => rewriteTranscript(`${elected}${line}\n`, 'a.txt')).toThrow(message);
  });

  test('says what a failing command brought about before it failed', () => {
    const script = '> forge AppendEntries 2->1 term=2 prev=1/1';
    expect(() => rewriteTranscript(`${elected}${script}\n`, 'a.txt')).not.toThrow();
    expect(() => rewriteTranscript(`${elected}${script} entries=2\n`, 'a.txt')).toThrow(
      /^a\.txt:5: Cannot place entries=.*\n {2}forged AppendEntries 2->1 term 2 prev 1\/1 commit 0$/s,
    );
  });

  test('wants a title', () => {
    expect(() => titleOf('> cluster 1\n', 'a.txt')).toThrow(/^a\.txt:1: No title, wanted /);
  });
});

describe('the checks of a transcript', () => {
  const nothing: Ready = {
    persist: null,
    messages: [],
    committed: [],
    installSnapshot: null,
    sendSnapshot: [],
    reads: [],
    softState: null,
    truncated: [],
    refused: [],
    fatal: null,
  };
  const first = membershipEntry(1, 1, voters(1, 2, 3));
  const disks = new Map([1, 2, 3].map((number) => [id(number), disk([first])]));
  const member = (number: number): CheckedMember => ({
    nodeId: id(number),
    disk: disks.get(id(number)) ?? disk([]),
    membership: voters(1, 2, 3),
    commitIndexGiven: 0,
  });
  const send = (message: Message): Ready => ({ ...nothing, messages: [message] });
  const [from, to] = [id(1), id(2)];

  test('two leaders in one term fail it', () => {
    const checks = new SafetyChecks();
    const leads = (leader: string): Ready => ({
      ...nothing,
      softState: { role: 'leader', term: 2, leader },
    });
    checks.check(leads(id(1)), member(1), disks);
    expect(() => checks.check(leads(id(2)), member(2), disks)).toThrow(/^Two leaders in term 2/);
  });

  test('two entries at one index fail it, and so does one that no quorum could find again', () => {
    const checks = new SafetyChecks();
    checks.check({ ...nothing, committed: [first] }, member(1), disks);
    const other = { ...nothing, committed: [entry(1, 1)] };
    expect(() => checks.check(other, member(2), disks)).toThrow(/^Two entries committed at 1/);
    const second = entry(2, 2);
    const copies = new Map(disks).set(id(2), disk([first, second]));
    const committed = { ...nothing, committed: [second] };
    expect(() => checks.check(committed, member(2), copies)).toThrow(
      /^Entry 2\/2 is committed, but/,
    );
    copies.set(id(3), disk([first, second]));
    expect(() => new SafetyChecks().check(committed, member(2), copies)).not.toThrow();
  });

  test('Z22 an acknowledgement of an entry that is not the leader’s fails it', () => {
    const checks = new SafetyChecks();
    checks.noteAppend({
      type: 'AppendEntries',
      from: to,
      to: from,
      term: 3,
      prevEntry: { term: 1, index: 1 },
      leaderCommit: 1,
      entries: [entry(3, 2)],
    });
    const answer = {
      type: 'AppendEntriesResponse',
      from,
      to,
      matchIndex: 2,
      rejected: null,
    } as const;
    const at = { ...member(1), disk: disk([first, entry(2, 2)]) };
    const check = (term: number): void => checks.check(send({ ...answer, term }), at, disks);
    expect(() => check(3)).toThrow(/^Acknowledged 2\/2, but the leader has 3\/2/);
    expect(() => check(2)).not.toThrow();
  });

  test.each<Message>([
    { type: 'RequestVote', from, to, term: 2, lastEntry: { term: 1, index: 1 }, transfer: false },
    { type: 'RequestVoteResponse', from, to, term: 2, granted: true },
    { type: 'AppendEntriesResponse', from, to, term: 1, matchIndex: 2, rejected: null },
  ])('E1 Z22 a $type of what is not durable fails it', (message) => {
    const check = (): void => new SafetyChecks().check(send(message), member(1), disks);
    expect(check).toThrow(/^Not durable yet: /);
  });
});
