/** Which troubles a world has in which a cluster is lost and comes back from its backup. */
import { drawClusterWeather, noDeaths, promptDisks } from './cluster-weather.ts';
import type { ClusterWeather } from './cluster-weather.ts';
import type { Prng } from './prng.ts';

export type RestoreWeather = ClusterWeather & {
  /** With this chance a backup is asked of a member whose disk hangs. */
  readonly lagChance: number;
  /** With this chance two people restore the file at once, and have seen the same record. */
  readonly twoRestoreChance: number;
  /** With this chance a member of before comes back with an empty disk, else with what it had. */
  readonly wipeChance: number;
  /** With this chance the same file is restored a second time. */
  readonly againChance: number;
};

export function drawRestoreWeather(prng: Prng, members: number | undefined): RestoreWeather {
  const drawn = drawClusterWeather(prng.fork('cluster'), members);
  const hostCount = members ?? prng.pick([1, 3, 3, 3, 4]);
  return {
    ...drawn,
    ...noDeaths,
    ...promptDisks,
    hostCount,
    startPattern: 'at once',
    policy: {
      maxVoters: 3,
      heartbeatMs: 100,
      electionTimeoutMsMin: 1_000,
      electionTimeoutMsMax: 2_000,
      replaceAfterMs: 3_000,
      snapshotEntries: prng.pick([20, 300]),
      trailingEntries: prng.pick([0, 100]),
    },
    network: { ...drawn.network, delayMsMax: prng.pick([1, 5, 20]), lossy: false, slowChance: 0 },
    register: { delayMsMin: 0.5, delayMsMax: 20, requestLossChance: 0, answerLossChance: 0 },
    stormMs: prng.between(3_000, 8_000),
    clientsPerHost: 2,
    thinkMs: prng.pick([100, 300]),
    writeTimeoutMs: 5_000,
    hasKeys: prng.chance(0.5),
    lagChance: 0.7,
    twoRestoreChance: 0.4,
    wipeChance: 0.3,
    againChance: 0.5,
  };
}
