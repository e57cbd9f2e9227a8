/**
 * `restoreBackup`: founds a new cluster with the state of a backup (Z43, Z50, Z52), in a directory that
 * a member then starts on. Everything is written beside and read to its end before the name is taken;
 * what is refused has changed nothing.
 */
import { mkdir, mkdtemp, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { hexFromBytes, QuorateError, systemRandom } from '@quorate/contracts';
import type { Chunks } from '@quorate/contracts';
import { checkValue } from '@quorate/contracts/options';
import { writeRestored } from '@quorate/cluster/restoring';
import type { ClaimRecord } from '@quorate/cluster/restoring';
import { createCipher, runSigner } from '@quorate/crypto';
import type { SecretSource } from '@quorate/crypto';
import { generationMax, generationOf, inGeneration, rebased } from '@quorate/kv/backup';
import type { BackupInfo } from '@quorate/kv/backup';
import { FileStorage } from '@quorate/storage-fs';
import { failureDomain, zoneKind } from '../domain.ts';
import { checkBackup, openBackup } from './backup-file.ts';
import type { OpenedBackup } from './backup-file.ts';
import { ringTopics } from '../ring-topics.ts';
import { lookUpName } from './lost-name.ts';
import type { Name } from './lost-name.ts';

export type RestoreOptions = {
  /** A file, or the bytes of a backup in chunks. */
  readonly backup: string | Chunks;
  /** Where the new member keeps its replica, as in `joinCluster`: nothing of the namespace may be there. */
  readonly dataDir: string;
  /** Default: the backup's own; another one is refused. */
  readonly namespace?: string;
  /** As in `joinCluster`; without any the cluster is one of formation `isolated`. */
  readonly relays?: readonly (string | URL)[];
  readonly secret?: SecretSource;
  /**
   * The cluster that is given up: at least the first 8 digits of the id that the register names.
   * Needed where it names one that was active.
   */
  readonly replace?: string;
  /**
   * The highest revision that was ever seen under this name. Needed where no register tells how many
   * generations there were, for revisions and tokens must not come twice.
   */
  readonly above?: number;
  /** Names the new member until it says its own. Default: the host's name. */
  readonly label?: string;
  readonly zone?: string;
  /** Asked before anything is written; false ends it with `RESTORE_REFUSED`. */
  readonly confirm?: (plan: RestorePlan) => boolean | Promise<boolean>;
  readonly signal?: AbortSignal;
};

/** What a restore is about to do, or has done. */
export type RestorePlan = {
  readonly info: BackupInfo;
  readonly directory: string;
  readonly clusterId: string;
  /** The new cluster's counter, and the revision that its state is at (Z50). */
  readonly generation: number;
  readonly revision: number;
  /** What the register names now; null where it names none. */
  readonly replaces: { readonly clusterId: string; readonly generation: number } | null;
};

/**
 * Founds a new cluster from a backup and resolves with what it is; `joinCluster` or `quorate node` then
 * starts its first member on `dataDir`. Members and pages of before archive what they have and come in
 * as new ones.
 *
 * Errors: `BACKUP_CORRUPT`, `OUTDATED` (a newer release wrote it), `RESTORE_REFUSED` (another namespace,
 * data in the way, hosts that are announced, something to be typed: `details.wanted`), `CONFLICT`
 * (somebody took the name meanwhile), and those of the register. Nothing was changed then.
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestorePlan> {
  const { backup, relays = [], secret, signal = new AbortController().signal } = options;
  if (options.zone !== undefined) checkValue(options.zone, zoneKind, 'restore', 'zone');
  if (relays.length > 0 && secret === undefined) {
    throw new TypeError(
      "Cannot restore over relays without a secret: wanted secret: '…', or secret: 'public'",
    );
  }
  // A file can be read twice: nobody is asked about one that is damaged.
  if (typeof backup === 'string') await checkBackup(backup);
  const opened = await openBackup(backup);
  let name: Name | null = null;
  try {
    const namespace = checkNamespace(opened.info, options.namespace);
    const dataDir = resolve(options.dataDir);
    await checkDirectory(dataDir, namespace);
    if (relays.length > 0 && secret !== undefined) {
      name = await lookUpName({ namespace, relays, secret, signal });
    }
    const plan = planOf(opened, join(dataDir, namespace), name?.record ?? null, options);
    if ((await options.confirm?.(plan)) === false) throw refused(namespace, 'it was not confirmed');
    await carryOut(opened, plan, name, options);
    return plan;
  } finally {
    await opened.close();
    await name?.close();
  }
}

function planOf(
  { info }: OpenedBackup,
  directory: string,
  record: ClaimRecord | null,
  { replace, above, namespace = info.namespace }: RestoreOptions,
): RestorePlan {
  const claim = record?.claim ?? null;
  if (claim === null && above === undefined) {
    throw refused(
      namespace,
      'no register tells how far its revisions went; wanted the highest one ever seen as `above` ' +
        `(the backup is at ${info.revision})`,
      'above',
    );
  }
  if (above !== undefined && (!Number.isSafeInteger(above) || above < 0)) {
    throw new RangeError(`Cannot restore above ${above}: wanted a revision`);
  }
  if (claim?.state === 'active' && !isTyped(replace, claim.clusterId)) {
    throw refused(
      namespace,
      `the register names cluster ${claim.clusterId} of generation ${claim.generation}; ` +
        `wanted its first 8 digits as \`replace\`, to give it up`,
      'replace',
      { clusterId: claim.clusterId, generation: claim.generation },
    );
  }
  const known = [info.generation, claim?.generation ?? 0, generationOf(above ?? 0)];
  const generation = Math.max(...known) + 1;
  if (generation > generationMax) throw refused(namespace, 'there is no generation left');
  return {
    info,
    directory,
    clusterId: hexFromBytes(systemRandom(16)),
    generation,
    revision: inGeneration(info.revision, generation),
    replaces: claim === null ? null : { clusterId: claim.clusterId, generation: claim.generation },
  };
}

/** The new replica is of the secret that its first member will have (Z42). */
function topicsOf(namespace: string, secrets: SecretSource | undefined): readonly string[] {
  return ringTopics(
    createCipher({ namespace, secrets: secrets ?? 'public', random: systemRandom }),
  );
}

/** Eight digits or more of the id, as a person types them. */
function isTyped(text: string | undefined, clusterId: string): boolean {
  return text !== undefined && text.length >= 8 && clusterId.startsWith(text.toLowerCase());
}

async function carryOut(
  opened: OpenedBackup,
  plan: RestorePlan,
  name: Name | null,
  options: RestoreOptions,
): Promise<void> {
  const { directory, clusterId, generation } = plan;
  const dataDir = dirname(directory);
  const { nodeId: founder, key } = runSigner.create(systemRandom);
  const made = await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const temporary = await mkdtemp(join(dataDir, `.${opened.info.namespace}-restoring-`));
  try {
    await writeRestored(
      new FileStorage({ directory: join(temporary, 'log') }),
      {
        facts: opened.facts,
        clusterId,
        generation,
        register: name?.group ?? 'isolated',
        founder: {
          nodeId: founder,
          key,
          facts: {
            label: options.label ?? hostname().slice(0, 64),
            durable: true,
            runtime: 'node',
            domain: failureDomain(options.zone, `host ${hostname()}`),
            mayVote: true,
          },
        },
        machine: rebased(opened.blocks, opened.contents, generation),
      },
      { random: systemRandom, topics: topicsOf(opened.info.namespace, options.secret) },
    );
    if (options.signal?.aborted === true) {
      throw new QuorateError('ABORTED', 'Cannot restore: its signal was aborted');
    }
    // The one step that others see; behind it there is only a rename.
    await name?.take({ clusterId, generation, founder });
    await putInPlace(temporary, plan);
    await syncDirectory(dataDir);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    if (made !== undefined) await rm(made, { recursive: true, force: true });
    throw error;
  }
}

async function putInPlace(temporary: string, plan: RestorePlan): Promise<void> {
  try {
    await rename(temporary, plan.directory);
  } catch (cause) {
    throw new QuorateError(
      'STORAGE_FAILED',
      `Cannot put the restored member at ${plan.directory}: the name is taken by ` +
        `${plan.clusterId}, which is nowhere now; restore again in its place`,
      { cause },
    );
  }
}

function checkNamespace(info: BackupInfo, wanted: string | undefined): string {
  if (wanted === undefined || wanted === info.namespace) return info.namespace;
  throw refused(wanted, `the backup is one of ${info.namespace}`);
}

/** Other namespaces may live there; anything else is somebody's. */
async function checkDirectory(dataDir: string, namespace: string): Promise<void> {
  const directory = join(dataDir, namespace);
  for (const path of [dataDir, directory]) {
    const stats = await stat(path).catch(() => null);
    if (stats !== null && !stats.isDirectory()) {
      throw refused(namespace, `${path} is no directory`);
    }
  }
  const inside = await namesIn(directory);
  if (inside.length > 0) throw refused(namespace, `${directory} is not empty`);
  for (const name of await namesIn(dataDir)) {
    if (name === namespace || name.startsWith(`.${namespace}-restoring-`)) continue;
    const contents = await namesIn(join(dataDir, name));
    if (contents.includes('log') || contents.includes('host-key')) continue;
    throw refused(namespace, `${dataDir} is not empty: it holds ${name}`);
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch {
    // Missing, or a file: neither holds anything.
    return [];
  }
}

/** A name is durable only with the directory that holds it. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function refused(
  namespace: string,
  why: string,
  wanted?: 'above' | 'replace',
  details: Readonly<Record<string, unknown>> = {},
): QuorateError {
  return new QuorateError('RESTORE_REFUSED', `Cannot restore ${namespace}: ${why}`, {
    details: wanted === undefined ? details : { wanted, ...details },
  });
}
