/**
 * Which troubles a world of bare cores has, and how strongly: drawn once per seed, so that most
 * worlds have few kinds of trouble and some have all (swarm testing).
 */
import type { CoreNodeSettings } from './core-node.ts';
import type { Prng } from './prng.ts';

export type CoreWeather = {
  readonly settings: CoreNodeSettings;
  /** The shortest election timeout. */
  readonly timeoutMs: number;
  readonly stormMs: number;
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  readonly inOrder: boolean;
  readonly lossChance: number;
  readonly duplicateChance: number;
  readonly throughCodec: boolean;
  readonly snapshotMsMax: number;
  readonly snapshotLossChance: number;
  readonly proposeEveryMs: number;
  readonly proposalBytesMax: number;
  /** Mean milliseconds between two faults of a kind; 0: never. */
  readonly crashEveryMs: number;
  readonly freezeEveryMs: number;
  /** A freeze is a sleep of the machine with this chance. */
  readonly sleepChance: number;
  readonly cutEveryMs: number;
  readonly changeEveryMs: number;
  readonly transferEveryMs: number;
  readonly campaignEveryMs: number;
  /** Somebody who has the secret lies (T8). */
  readonly lieEveryMs: number;
  /** While somebody asks for votes, or is handed leadership, the leader hears nothing with this chance. */
  readonly deafChance: number;
  /** Crashes, freezes and cuts hit a leader with this chance, else anybody. */
  readonly aimAtLeaderChance: number;
};

/**
 * Everything is measured in election timeouts, so that a world sees many terms whatever its pace:
 * what breaks consensus happens between leaders.
 */
export function drawCoreWeather(prng: Prng): CoreWeather {
  const weather = drawTroubles(prng);
  // A lease rests on everybody's honesty: whoever may say that a leader handed over ends it.
  if (weather.settings.leaseReads || !prng.chance(0.3)) return weather;
  return { ...weather, lieEveryMs: weather.timeoutMs * prng.between(0.1, 2) };
}

function drawTroubles(prng: Prng): CoreWeather {
  const weather = drawSwarm(prng);
  const kind = prng.float();
  if (kind < 0.1) return withDeafLeaders(weather, prng);
  return kind < 0.3 ? withDyingLeaders(weather, prng) : weather;
}

/** Leaders that die between two small messages, again and again: the land of figure 8. */
function withDyingLeaders(weather: CoreWeather, prng: Prng): CoreWeather {
  const { timeoutMs, settings } = weather;
  return {
    ...weather,
    settings: {
      ...settings,
      syncMsMax: timeoutMs * 0.01,
      appendBytesMax: prng.pick([1, 64]),
      inflightCountMax: prng.pick([1, 2]),
    },
    delayMsMax: timeoutMs * prng.pick([0.05, 0.2]),
    proposeEveryMs: timeoutMs * prng.pick([0.1, 0.5]),
    crashEveryMs: timeoutMs * prng.between(0.8, 2),
    cutEveryMs: timeoutMs * prng.between(0.8, 2),
    freezeEveryMs: 0,
    changeEveryMs: 0,
    aimAtLeaderChance: 0.9,
  };
}

/** Leaders that read by leases, and hear nothing while others would like to lead (Z23). */
function withDeafLeaders(weather: CoreWeather, prng: Prng): CoreWeather {
  const { timeoutMs, settings } = weather;
  return {
    ...weather,
    settings: { ...settings, leaseReads: true, syncMsMax: timeoutMs * 0.01, applyDelayMsMax: 0 },
    delayMsMax: timeoutMs * 0.01,
    lossChance: 0,
    proposeEveryMs: timeoutMs * 0.02,
    crashEveryMs: 0,
    freezeEveryMs: 0,
    cutEveryMs: 0,
    campaignEveryMs: timeoutMs * prng.between(0.5, 2),
    transferEveryMs: timeoutMs * prng.between(1, 4),
    deafChance: 0.9,
  };
}

function drawSwarm(prng: Prng): CoreWeather {
  const tickMs = prng.pick([5, 20, 50]);
  const electionTimeoutTicksMin = prng.pick([5, 10, 20]);
  const timeoutMs = tickMs * electionTimeoutTicksMin;
  /** A fault is absent in half of the worlds. */
  const perhaps = (from: number, to: number): number =>
    prng.chance(0.5) ? 0 : prng.between(from, to);
  const every = (from: number, to: number): number => perhaps(from * timeoutMs, to * timeoutMs);
  const slowDisk = prng.chance(0.2);
  return {
    settings: {
      syncMsMin: 0.1,
      syncMsMax:
        timeoutMs * (slowDisk ? prng.between(0.1, prng.pick([0.8, 4])) : prng.between(0.001, 0.05)),
      stallChance: perhaps(0.001, 0.02),
      snapshotEvery: prng.pick([5, 20, 100, 1_000]),
      trailing: prng.pick([0, 1, 10, 100]),
      tickMs,
      applyDelayMsMax: prng.pick([0, 0, 0.01, 0.2]) * timeoutMs,
      heartbeatTicks: prng.pick([1, 2]),
      electionTimeoutTicksMin,
      electionTimeoutTicksMax: electionTimeoutTicksMin * 2,
      appendBytesMax: prng.pick([64, 1_024, 65_536]),
      inflightCountMax: prng.pick([1, 2, 8, 64]),
      inflightBytesMax: prng.pick([256, 65_536]),
      leaseReads: prng.chance(0.3),
    },
    timeoutMs,
    stormMs: timeoutMs * prng.between(40, 150),
    delayMsMin: 0.1,
    delayMsMax: Math.max(0.2, timeoutMs * prng.pick([0.001, 0.01, 0.05, 0.2])),
    inOrder: prng.chance(0.3),
    lossChance: perhaps(0.001, 0.3),
    duplicateChance: perhaps(0.001, 0.2),
    throughCodec: prng.chance(0.3),
    snapshotMsMax: timeoutMs * prng.pick([0.01, 0.1, 3]),
    snapshotLossChance: perhaps(0.05, 0.5),
    proposeEveryMs: timeoutMs * prng.pick([0.02, 0.1, 0.5]),
    proposalBytesMax: prng.pick([1, 20, 300]),
    crashEveryMs: every(0.5, 10),
    freezeEveryMs: every(1, 10),
    sleepChance: prng.pick([0, 0.5, 1]),
    cutEveryMs: every(0.5, 10),
    changeEveryMs: every(0.3, 5),
    transferEveryMs: every(0.5, 5),
    campaignEveryMs: every(0.2, 5),
    lieEveryMs: 0,
    deafChance: 0.3,
    aimAtLeaderChance: prng.pick([0, 0.3, 0.8]),
  };
}
