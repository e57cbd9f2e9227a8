/** Looks into databases of replicas from outside, whoever runs them. */
import { isQuorateError } from '@quorate/contracts';
import { DatabaseConnection } from './database-connection.ts';
import { headKey, isOfNone, snapshotKey, under } from './layout.ts';
import type { Head } from './layout.ts';

/**
 * Is there a replica in any of these databases that has begun a log, so that it is of some cluster?
 * With `topics` only one that was made with another secret counts. Creates nothing and disturbs no
 * run. Errors: `STORAGE_FAILED`, `OUTDATED`.
 */
export async function holdsLog(
  indexedDB: IDBFactory,
  names: readonly string[],
  topics?: readonly string[],
): Promise<boolean> {
  // Absent in older browsers; there each opening finds out.
  const { databases } = indexedDB as Partial<IDBFactory>;
  const known = await databases?.call(indexedDB);
  const present = names.filter((name) => known?.some((one) => one.name === name) ?? true);
  const held = await Promise.all(present.map((name) => isLogIn(indexedDB, name, topics)));
  return held.includes(true);
}

async function isLogIn(
  indexedDB: IDBFactory,
  name: string,
  topics: readonly string[] | undefined,
): Promise<boolean> {
  const connection = new DatabaseConnection({ name, indexedDB, acceptRelaxed: false });
  try {
    return await connection.run<boolean>(false, 'readonly', (store, finish) => {
      const request = store.get(headKey) as IDBRequest<Head | undefined>;
      request.onsuccess = () => {
        const head = request.result;
        if (head === undefined || (topics !== undefined && !isOfNone(head, topics))) {
          finish(false);
          return;
        }
        const groups = store.count(under(head.generation, 'log'));
        const snapshots = store.count(snapshotKey(head.generation));
        snapshots.onsuccess = () => finish(groups.result + snapshots.result > 0);
      };
    });
  } catch (error) {
    if (isQuorateError(error, 'STORAGE_LOST')) return false;
    throw error;
  } finally {
    connection.close();
  }
}
