/** A backup of a member that does not run, from its data directory, which stays as it is. */
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { concatBytes, isQuorateError, QuorateError, systemRandom } from '@quorate/contracts';
import type { Mark } from '@quorate/contracts';
import { factsOf, openReplica } from '@quorate/cluster/restoring';
import type { Opened } from '@quorate/cluster/restoring';
import { KvStateMachine } from '@quorate/kv';
import { readOnlyStorage } from '@quorate/storage-fs';
import { sourceOf } from '@quorate/kv/backup';
import type { BackupSource } from '@quorate/kv/backup';
import { CapturedBackup } from '../backup.ts';
import type { Backup } from '../backup.ts';

export type StoppedOptions = {
  readonly dataDir: string;
  /** May be left out where the directory holds one only. */
  readonly namespace?: string;
  /** Takes an archive of that name in place of the replica. */
  readonly archive?: string;
};

/**
 * A backup of what a stopped member's directory holds; no run begins on it. What the others took since
 * is not in it, which its marks say. Errors, when it is read: `STORAGE_LOST` (nothing is there),
 * `STORAGE_LOCKED` (the member runs), `STORAGE_CORRUPT`.
 */
export function backupOfStopped(options: StoppedOptions): Backup {
  return new CapturedBackup(() => capture(options));
}

async function capture(options: StoppedOptions): Promise<BackupSource> {
  const { archive } = options;
  const dataDir = resolve(options.dataDir);
  const namespace = options.namespace ?? (await onlyNamespace(dataDir));
  const directory = join(dataDir, namespace, 'log');
  const machine = new KvStateMachine();
  const open = (keepThis: boolean): Promise<Opened> =>
    openReplica(readOnlyStorage({ directory, ...(archive === undefined ? {} : { archive }) }), {
      stateMachine: machine,
      emptyState: concatBytes([...machine.snapshot()]),
      random: systemRandom,
      create: false,
      // The files are their owner's, who reads them without being the member.
      topics: undefined,
      keepThis,
    });
  const { opened, refusal } = await evenIfRefused(open);
  try {
    const marks = [takenFromStopped(archive), ...refusal, ...applyRest(opened)];
    const facts = factsOf(opened.state);
    if (facts === null) {
      throw new QuorateError(
        'STORAGE_LOST',
        `Cannot back up ${directory}: its replica holds no committed state`,
      );
    }
    const captured = { facts, state: machine.store.capture() };
    const own = opened.state.members.get(opened.run.nodeId);
    return sourceOf(captured, {
      at: new Date().toISOString(),
      from: own?.label ?? opened.run.nodeId.slice(0, 8),
      marks,
    });
  } finally {
    await opened.storage.close();
  }
}

/**
 * What others refused may be all that is left, or less than what they hold: it is read, and whoever
 * restores it is told. Nothing is written, so the mark stays where it is (Z38).
 */
async function evenIfRefused(
  open: (keepThis: boolean) => Promise<Opened>,
): Promise<{ readonly opened: Opened; readonly refusal: readonly string[] }> {
  try {
    return { opened: await open(false), refusal: [] };
  } catch (error) {
    if (!isQuorateError(error) || error.details['mark'] === undefined) throw error;
    const { message } = error.details['mark'] as Mark;
    const why = message.slice(0, whyLengthMax);
    const said = `Others refused this member, which had been put back or copied: ${why}`;
    return { opened: await open(true), refusal: [`${said}. What they hold may be newer`] };
  }
}

function takenFromStopped(archive: string | undefined): string {
  return archive === undefined
    ? 'Taken from the directory of a stopped member: what others took since is not in it'
    : `Taken from the archive ${archive}: its cluster was given up`;
}

/**
 * The commit index rides along lazily, so that the last entries may be committed though the disk does
 * not say so. Where this replica was the only voter all of them are; elsewhere nobody here can know.
 */
function applyRest({ run, loaded, state }: Opened): string[] {
  const rest = loaded.entries.filter(({ index }) => index > state.appliedIndex);
  const first = rest[0];
  if (first === undefined) return [];
  const { voters, votersOutgoing } = state.membership;
  const isAlone = votersOutgoing.length === 0 && voters.length === 1 && voters[0] === run.nodeId;
  if (isAlone && rest.every(({ type }) => type !== 'membership')) {
    for (const entry of rest) state.apply(entry);
    return [];
  }
  const last = rest.at(-1)?.index ?? first.index;
  return [
    `Entries ${first.index} to ${last} of its log may have been acknowledged and are not in it`,
  ];
}

async function onlyNamespace(dataDir: string): Promise<string> {
  const names: string[] = [];
  const entries = await readdir(dataDir).catch((): string[] => []);
  for (const entry of entries) {
    // What is no directory holds nothing.
    const inside = await readdir(join(dataDir, entry)).catch((): string[] => []);
    if (inside.includes('log') && !entry.startsWith('.')) names.push(entry);
  }
  const [only] = names;
  if (only !== undefined && names.length === 1) return only;
  const found = names.length === 0 ? 'there is no member in it' : `it holds ${names.join(', ')}`;
  throw new QuorateError(
    'STORAGE_LOST',
    `Cannot back up ${dataDir}: ${found}, wanted one, or its namespace`,
  );
}

/** So that it fits in a mark of a backup. */
const whyLengthMax = 800;
