/** Which of the configured relays is asked, and whether those that answered let anybody found (Z53). */
import { QuorateError } from '@quorate/contracts';
import type { RelayClient } from './relay-client.ts';
import type { Standing } from './relay-proof.ts';

export type Chosen = { readonly client: RelayClient; readonly group: string };

type Answered = { readonly client: RelayClient; readonly standing: Standing };

/**
 * The first relay to prove that it is of the group `wanted`; where that is null, of any, unless relays of
 * two groups are here: nobody can say which one decides.
 * Rejects with `UNREACHABLE` while one that may be of it does not answer, `REGISTER_LOST` where all are of
 * other groups or prove nothing, `FORMATION_WAITING` where none decides, or several do.
 */
export async function chooseRelay(
  clients: readonly RelayClient[],
  wanted: string | null,
  isPinned: boolean,
  signal: AbortSignal,
): Promise<Chosen> {
  const answered: Answered[] = [];
  const silent: Error[] = [];
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      const [found] = answered.flatMap(({ client, standing }): Chosen[] => {
        const group = provenGroup(standing);
        return group !== null && group === (wanted ?? group) ? [{ client, group }] : [];
      });
      const others = wanted === null ? groupsOf(clients) : [];
      if (others.length > 1) reject(twoGroups(others));
      else if (found !== undefined) resolve(found);
      else if (answered.length + silent.length === clients.length) {
        reject(silent[0] ?? whyNone(answered, wanted, isPinned));
      }
    };
    for (const client of clients) {
      client.standing(signal).then(
        (standing) => {
          answered.push({ client, standing });
          settle();
        },
        (error: Error) => {
          silent.push(error);
          settle();
        },
      );
    }
  });
}

/**
 * Throws `FORMATION_WAITING` unless most of the configured relays are of this group and none of another:
 * two newcomers that reach different relays would found two clusters otherwise.
 */
export function refuseUndecided(clients: readonly RelayClient[], group: string): void {
  const groups = groupsOf(clients);
  if (groups.length > 1) throw twoGroups(groups);
  const count = groups[0]?.relays.length ?? 0;
  const needed = Math.floor(clients.length / 2) + 1;
  if (count >= needed) return;
  throw new QuorateError(
    'FORMATION_WAITING',
    `Cannot found: ${count} of ${clients.length} relays answer for group ${group}, wanted ${needed}; ` +
      `behind an address, #${group} says that this group decides`,
  );
}

type GroupHere = { readonly group: string; readonly relays: readonly string[] };

/** Of the relays that are tied now. */
function groupsOf(clients: readonly RelayClient[]): readonly GroupHere[] {
  const groups = new Map<string, string[]>();
  for (const { present, relay } of clients) {
    const group = present === null ? null : provenGroup(present);
    if (group !== null) groups.set(group, [...(groups.get(group) ?? []), relay.text]);
  }
  return [...groups].map(([group, relays]) => ({ group, relays }));
}

function provenGroup({ group, unproven }: Standing): string | null {
  return unproven === null ? group : null;
}

function twoGroups(groups: readonly GroupHere[]): QuorateError {
  const named = groups.map(({ group, relays }) => `${relays.join(', ')} of ${group}`).join('; ');
  return new QuorateError(
    'FORMATION_WAITING',
    `Cannot decide between relays of ${groups.length} groups: ${named}. Wanted one: take the others out ` +
      'of the list, or say #GROUP behind an address',
  );
}

/** All answered, and none will do. */
function whyNone(
  answered: readonly Answered[],
  wanted: string | null,
  isPinned: boolean,
): QuorateError {
  const other = answered.find(({ standing }) => provenGroup(standing) !== null);
  if (other !== undefined) {
    const { group } = other.standing;
    return new QuorateError(
      'REGISTER_LOST',
      `Cannot use the register of ${other.client.relay.text}: its group is ${group}, wanted ${wanted}`,
      { details: { group, isPinned } },
    );
  }
  const liar = answered.find(({ standing }) => standing.unproven !== null);
  if (liar !== undefined) return unproven(liar);
  const [carrier] = answered;
  return new QuorateError(
    'FORMATION_WAITING',
    `Cannot use relay ${carrier?.client.relay.text ?? ''} as register: it only carries traffic, wanted one started once with --init`,
  );
}

function unproven({ client, standing }: Answered): QuorateError {
  return new QuorateError(
    'REGISTER_LOST',
    `Cannot use the register of ${client.relay.text}: it does not prove to be of group ` +
      `${standing.group}, for ${standing.unproven}`,
  );
}

/** Two pins that differ could never both be met. Throws TypeError. */
export function refuseTwoPins(relays: readonly { readonly group: string | null }[]): void {
  const pins = new Set(relays.flatMap(({ group }) => (group === null ? [] : [group])));
  if (pins.size < 2) return;
  throw new TypeError(
    `Cannot use relays of ${pins.size} groups: ${[...pins].join(', ')}, wanted one`,
  );
}
