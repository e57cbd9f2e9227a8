/**
 * Which troubles a world of whole clusters has, and how strongly: drawn once per seed, so that most
 * worlds have few kinds of trouble and some have all (swarm testing).
 */
import type { Policy } from '@quorate/cluster';
import type { HistoryLimits } from '@quorate/kv';
import type { Prng } from './prng.ts';
import type { DiskConditions } from './virtual-disk.ts';
import type { NetworkConditions } from './virtual-conditions.ts';
import type { RegisterConditions } from './virtual-register.ts';

/** F1 at once, F2 one after another, F3 staggered over a window, F4 some in the middle of it. */
export type StartPattern = 'at once' | 'one after another' | 'staggered' | 'late arrivals';

export type ClusterWeather = {
  readonly hostCount: number;
  readonly startPattern: StartPattern;
  readonly startWindowMs: number;
  /** F6: somebody dies within the first moments of formation, once or several times. */
  readonly earlyDeathCount: number;
  readonly stormMs: number;
  readonly policy: Partial<Policy>;
  readonly network: NetworkConditions;
  readonly disk: DiskConditions;
  /** What watches and reads of the past can reach. */
  readonly history: HistoryLimits;
  readonly register: RegisterConditions;
  readonly clientsPerHost: number;
  readonly thinkMs: number;
  /** Clients and watches that go from member to member. */
  readonly wanderingClientCount: number;
  readonly wanderingWatchCount: number;
  readonly valueBytesMax: number;
  readonly writeTimeoutMs: number;
  /** Process clocks run up to this much fast or slow. */
  readonly drift: number;
  /** Mean milliseconds between two of a kind; 0: never. */
  readonly crashEveryMs: number;
  readonly stopEveryMs: number;
  readonly freezeEveryMs: number;
  /** A freeze is a sleep of the machine with this chance. */
  readonly sleepChance: number;
  readonly clockJumpEveryMs: number;
  readonly transferEveryMs: number;
  readonly cutEveryMs: number;
  readonly resetEveryMs: number;
  readonly leaveEveryMs: number;
  readonly wipeEveryMs: number;
  readonly diskFailureEveryMs: number;
  readonly diskFullEveryMs: number;
  readonly diskHangEveryMs: number;
  /** A restart finds that the disk lost its mind: `STORAGE_CORRUPT`. */
  readonly diskCorruptEveryMs: number;
  /** Once, somebody restores a backup (Z3). Nothing else takes a disk away then. */
  readonly rollsBack: boolean;
  /** What is restored is the whole machine: its process goes on as the run that it was (Z72). */
  readonly reverts: boolean;
  /** Clients rest around it: it lacks nothing but the last run (Z1). */
  readonly backupAtRest: boolean;
  /** Those who know what the backup lacks restart, one at a time, before it is tried again. */
  readonly witnessesRestart: boolean;
  /** A disk is copied, and opened beside the original (Z48). */
  readonly clones: boolean;
  /** Replicas have keys, and are heard as the runs that they signed (Z39). */
  readonly hasKeys: boolean;
  /** Then: somebody without the key of a replica says that it is a run of it. */
  readonly forges: boolean;
  /** Hellos of runs that are over are read later. */
  readonly lateWords: boolean;
  /** So many durable learners come and go (Z54). */
  readonly visitorCount: number;
  /** Somebody without a vote says of everybody what is not so (Z54). */
  readonly liarComes: boolean;
  /** A member of another cluster is within reach, and sends its log to everybody (Z12). */
  readonly strangerComes: boolean;
  /** Somebody starts a member on its own disk with another secret (Z42). */
  readonly otherSecretEveryMs: number;
  /** Somebody who has the secret, and is no member, lies to everybody (T8). */
  readonly lieEveryMs: number;
  readonly registerDownEveryMs: number;
  /** Once, the register forgets a cluster that lives, while others are still to come (T3). */
  readonly registerForgets: boolean;
  /** So many hosts are in one page, and share its event loop (Z61); 0: each has a process of its own. */
  readonly pageHostCount: number;
  /** Once there is a cluster, the page stands still, and dies. */
  readonly pagePauseEveryMs: number;
  readonly pageDeathEveryMs: number;
  readonly pageCutEveryMs: number;
  /** A crash hits the leader with this chance, else anybody. */
  readonly aimAtLeaderChance: number;
};

export function drawClusterWeather(prng: Prng, members: number | undefined): ClusterWeather {
  const weather = drawKind(prng, members);
  const trailingBytes = prng.pick([0, 2_000, 100_000, 16 * 1024 * 1024]);
  const catchUpBytes = prng.pick([5_000, 50_000, 64 * 1024 * 1024]);
  return { ...weather, policy: { ...weather.policy, trailingBytes, catchUpBytes } };
}

function drawKind(prng: Prng, members: number | undefined): ClusterWeather {
  const weather = drawSwarm(prng, members);
  const kind = prng.float();
  if (weather.hostCount >= 3 && kind < 0.06) return withBackups(weather, prng);
  if (weather.hostCount >= 3 && kind < 0.09) return withReverts(weather, prng);
  if (weather.hostCount >= 3 && kind < 0.18) return withImpostors(weather, prng);
  if (weather.hostCount >= 2 && kind < 0.25) return withFailingHandovers(weather, prng);
  if (weather.hostCount >= 2 && kind < 0.35) return withShortSessions(weather, prng);
  if (kind < 0.4) return { ...withOtherSecrets(weather, prng), strangerComes: true };
  if (weather.hostCount >= 2 && kind < 0.5) return withExpectedCopies(weather, prng);
  if (weather.hostCount >= 2 && kind < 0.6) return withForgetfulRegister(weather, prng);
  if (weather.hostCount >= 3 && kind >= 0.86 && kind < 0.9) return withBackupAtRest(weather, prng);
  if (kind >= 0.9) return prng.chance(0.5) ? withLonePage(weather, prng) : withPage(weather, prng);
  // A lease rests on everybody's honesty: whoever may say that a leader handed over ends it.
  if (kind >= 0.75 || weather.policy.leaseReads === true) return withOtherSecrets(weather, prng);
  return { ...weather, lieEveryMs: prng.between(200, 3_000) };
}

function withOtherSecrets(weather: ClusterWeather, prng: Prng): ClusterWeather {
  return { ...weather, otherSecretEveryMs: prng.between(3_000, 15_000) };
}

/** A lost register, and nobody left who is announced, are two faults (Z41): here there is one. */
function withForgetfulRegister(weather: ClusterWeather, prng: Prng): ClusterWeather {
  return {
    ...weather,
    ...noDeaths,
    startPattern: 'late arrivals',
    startWindowMs: prng.between(10_000, 40_000),
    stormMs: prng.between(40_000, 60_000),
    freezeEveryMs: 0,
    cutEveryMs: 0,
    diskFullEveryMs: 0,
    diskHangEveryMs: 0,
    registerDownEveryMs: 0,
    registerForgets: true,
  };
}

/** Writes wait until members that come one by one hold the data (Z14). */
function withExpectedCopies(weather: ClusterWeather, prng: Prng): ClusterWeather {
  const expect = prng.chance(0.5) ? 2 : Math.min(weather.hostCount, 2 + prng.int(3));
  return { ...weather, policy: { ...weather.policy, expect } };
}

/** A rollback and the loss of its only witness are two faults (Z3): here there is one. */
function withBackups(weather: ClusterWeather, prng: Prng): ClusterWeather {
  const backups: ClusterWeather = {
    ...weather,
    ...noDeaths,
    policy: { ...weather.policy, maxVoters: weather.hostCount < 5 ? 3 : 5 },
    rollsBack: true,
    liarComes: prng.chance(0.3),
    visitorCount: prng.chance(0.6) ? 300 : 0,
    cutEveryMs: 0,
  };
  const drawn = prng.chance(0.5) ? { ...backups, ...promptDisks, witnessesRestart: true } : backups;
  return withKeys(drawn, prng);
}

/**
 * Of a backup that lacks nothing, put back beside those who met the run after it, only that run tells:
 * its number is there twice (Z1).
 */
function withBackupAtRest(weather: ClusterWeather, prng: Prng): ClusterWeather {
  return {
    ...withBackups(weather, prng),
    ...promptDisks,
    stormMs: Math.max(weather.stormMs, 30_000),
    transferEveryMs: 0,
    freezeEveryMs: 0,
    liarComes: false,
    visitorCount: 0,
    backupAtRest: true,
  };
}

/** Whose word ends whom is another question where runs are signed. */
function withKeys(weather: ClusterWeather, prng: Prng): ClusterWeather {
  return { ...weather, hasKeys: prng.chance(0.5) };
}

/**
 * Backups put back with the process that runs on them (Z72). What it acknowledged is known to who led
 * then: that one leads on.
 */
function withReverts(weather: ClusterWeather, prng: Prng): ClusterWeather {
  return {
    ...withBackups(weather, prng),
    ...promptDisks,
    stormMs: Math.max(weather.stormMs, 40_000),
    transferEveryMs: 0,
    freezeEveryMs: 0,
    reverts: true,
  };
}

/**
 * Copies beside their originals, late words and liars. While a copy is opened nobody loses sight of
 * anybody: a copy that somebody meets who does not see the original is one that nobody can tell.
 */
function withImpostors(weather: ClusterWeather, prng: Prng): ClusterWeather {
  const clones = prng.chance(0.8);
  const impostors: ClusterWeather = {
    ...weather,
    ...noDeaths,
    ...promptDisks,
    policy: { ...weather.policy, maxVoters: weather.hostCount < 5 ? 3 : 5 },
    network: { ...weather.network, lossy: false, slowChance: 0 },
    stormMs: Math.max(weather.stormMs, 30_000),
    clones,
    lateWords: !clones || prng.chance(0.5),
    liarComes: prng.chance(0.5),
    cutEveryMs: 0,
    freezeEveryMs: 0,
    resetEveryMs: 0,
  };
  const forged = { clones: false, lateWords: false, liarComes: false, forges: true, hasKeys: true };
  return prng.chance(0.35) ? { ...impostors, ...forged } : withKeys(impostors, prng);
}

/** What was learnt is on disk soon: a witness that restarts knows it. */
export const promptDisks = {
  disk: { syncMsMin: 0.1, syncMsMax: 5, stallChance: 0 },
  diskHangEveryMs: 0,
  diskFullEveryMs: 0,
};

/**
 * Leaders that try to hand over and go on after all, far from their clients: of several batches under
 * way to one of them some are refused, and later ones are not (Z26).
 */
function withFailingHandovers(weather: ClusterWeather, prng: Prng): ClusterWeather {
  return {
    ...weather,
    ...noDeaths,
    policy: { ...weather.policy, heartbeatMs: 50, ...quickElections },
    network: {
      ...weather.network,
      delayMsMax: prng.pick([60, 100]),
      lossy: true,
      lossChance: prng.between(0.1, 0.3),
    },
    clientsPerHost: 16,
    thinkMs: 700,
    transferEveryMs: prng.between(300, 1_500),
    freezeEveryMs: 0,
    cutEveryMs: 0,
  };
}

/** Sessions that end while their members are away with calls in their hands, whoever leads then. */
function withShortSessions(weather: ClusterWeather, prng: Prng): ClusterWeather {
  return {
    ...weather,
    ...noDeaths,
    policy: { ...weather.policy, heartbeatMs: 50, ...quickElections, sessionLifetimeMs: 1_500 },
    freezeEveryMs: prng.between(800, 2_500),
    sleepChance: 0,
    crashEveryMs: prng.between(4_000, 15_000),
    transferEveryMs: prng.between(2_000, 10_000),
    aimAtLeaderChance: 0,
  };
}

/** All voters are in one page, and its lateness is the only trouble there is (Z44). */
function withLonePage(weather: ClusterWeather, prng: Prng): ClusterWeather {
  const hostCount = prng.pick([3, 3, 5]);
  return {
    ...weather,
    ...noDeaths,
    ...promptDisks,
    hostCount,
    startPattern: 'at once',
    policy: { ...weather.policy, maxVoters: hostCount },
    network: { ...weather.network, delayMsMax: 5, lossy: false, slowChance: 0 },
    stormMs: Math.max(weather.stormMs, 25_000),
    freezeEveryMs: 0,
    clockJumpEveryMs: 0,
    transferEveryMs: 0,
    cutEveryMs: 0,
    resetEveryMs: 0,
    registerDownEveryMs: 0,
    pageHostCount: hostCount,
    pagePauseEveryMs: prng.between(1_000, 5_000),
  };
}

/** Two in one page and others elsewhere: it stands still and dies, and loses sight of them (Z61). */
function withPage(weather: ClusterWeather, prng: Prng): ClusterWeather {
  const hostCount = Math.max(3, weather.hostCount);
  return {
    ...weather,
    ...noDeaths,
    ...promptDisks,
    hostCount,
    startPattern: 'one after another',
    startWindowMs: 3_000,
    policy: { ...weather.policy, maxVoters: hostCount < 5 ? 3 : 5 },
    stormMs: Math.max(weather.stormMs, 25_000),
    freezeEveryMs: 0,
    clockJumpEveryMs: 0,
    cutEveryMs: prng.pick([0, 5_000]),
    pageHostCount: hostCount < 5 ? 2 : prng.pick([2, 3]),
    pagePauseEveryMs: prng.between(3_000, 8_000),
    pageDeathEveryMs: prng.pick([0, 12_000]),
    pageCutEveryMs: prng.between(2_000, 5_000),
  };
}

const quickElections = { electionTimeoutMsMin: 400, electionTimeoutMsMax: 800 };

/** Nobody dies, and every disk stays what it was. */
export const noDeaths = {
  earlyDeathCount: 0,
  crashEveryMs: 0,
  stopEveryMs: 0,
  leaveEveryMs: 0,
  wipeEveryMs: 0,
  diskFailureEveryMs: 0,
  diskCorruptEveryMs: 0,
};

function drawSwarm(prng: Prng, members: number | undefined): ClusterWeather {
  /** A fault is absent in three of five worlds. */
  const perhaps = (from: number, to: number): number =>
    prng.chance(0.6) ? 0 : prng.between(from, to);
  const fast = prng.chance(0.3);
  const lossy = prng.chance(0.3);
  const delayMsMax = prng.pick([1, 5, 20, 60]);
  const hostCount = members ?? prng.pick([1, 2, 3, 3, 3, 3, 4, 5, 5, 6, 7]);
  const clientsPerHost = prng.pick([1, 2, 4]);
  const leaseReads = prng.chance(0.3);
  return {
    hostCount,
    startPattern: prng.pick(['at once', 'one after another', 'staggered', 'late arrivals']),
    startWindowMs: prng.between(500, 15_000),
    earlyDeathCount: prng.chance(0.4) ? 1 + prng.int(4) : 0,
    stormMs: prng.between(10_000, 40_000),
    policy: {
      maxVoters: prng.pick([1, 3, 3, 5, 5]),
      heartbeatMs: fast ? 50 : 100,
      electionTimeoutMsMin: fast ? 400 : 1_000,
      electionTimeoutMsMax: fast ? 800 : 2_000,
      replaceAfterMs: prng.pick([3_000, 10_000]),
      forgetAfterMs: prng.pick([12_000, 600_000]),
      snapshotEntries: prng.pick([5, 50, 300, 10_000]),
      trailingEntries: prng.pick([0, 10, 5_000]),
      sessionLifetimeMs: prng.pick([1_500, 4_000, 10_000, 60_000]),
      leaseReads,
    },
    network: {
      delayMsMin: 0.2,
      delayMsMax,
      slowChance: perhaps(0.001, 0.05),
      bytesPerMs: prng.pick([1_000, 100_000]),
      lossy,
      lossChance: lossy ? perhaps(0.01, 0.2) : 0,
      duplicateChance: lossy ? perhaps(0.01, 0.2) : 0,
      reorderChance: lossy ? perhaps(0.01, 0.2) : 0,
      linkTimeoutMs: prng.pick([1_000, 4_000]),
    },
    disk: {
      syncMsMin: 0.1,
      syncMsMax: prng.chance(0.15) ? prng.between(20, 300) : prng.between(0.2, 10),
      stallChance: perhaps(0.0005, 0.01),
    },
    history: { revisionCountMax: prng.pick([20, 10_000]), bytesMax: 8 * 1024 * 1024 },
    register: {
      delayMsMin: 0.5,
      delayMsMax: prng.pick([5, 50, 400]),
      requestLossChance: perhaps(0.01, 0.3),
      answerLossChance: perhaps(0.01, 0.3),
    },
    clientsPerHost,
    wanderingClientCount: prng.pick([0, 2, 4]),
    wanderingWatchCount: prng.pick([0, 1, 2]),
    // All clients together do at most some sixty calls a second.
    thinkMs: Math.max(prng.pick([20, 100, 500]), hostCount * clientsPerHost * 15),
    valueBytesMax: prng.pick([10, 200, 1_000]),
    writeTimeoutMs: prng.pick([1_000, 5_000, 10_000]),
    drift: prng.pick([0, 0.01, 0.1]),
    crashEveryMs: perhaps(1_500, 15_000),
    stopEveryMs: perhaps(3_000, 20_000),
    freezeEveryMs: perhaps(1_500, 15_000),
    sleepChance: prng.pick([0, 0.5, 1]),
    // A voter whose clock runs ahead of all others ends what a lease rests on (Z23).
    clockJumpEveryMs: leaseReads ? 0 : perhaps(1_500, 15_000),
    transferEveryMs: perhaps(500, 10_000),
    cutEveryMs: perhaps(1_500, 15_000),
    resetEveryMs: perhaps(300, 5_000),
    leaveEveryMs: prng.chance(0.2) ? prng.between(8_000, 20_000) : 0,
    wipeEveryMs: prng.chance(0.2) ? prng.between(5_000, 20_000) : 0,
    diskFailureEveryMs: prng.chance(0.2) ? prng.between(8_000, 20_000) : 0,
    diskFullEveryMs: prng.chance(0.2) ? prng.between(8_000, 20_000) : 0,
    diskHangEveryMs: prng.chance(0.2) ? prng.between(5_000, 20_000) : 0,
    diskCorruptEveryMs: prng.chance(0.1) ? prng.between(8_000, 20_000) : 0,
    rollsBack: false,
    reverts: false,
    backupAtRest: false,
    witnessesRestart: false,
    clones: false,
    hasKeys: false,
    forges: false,
    lateWords: false,
    visitorCount: 0,
    liarComes: false,
    strangerComes: false,
    otherSecretEveryMs: 0,
    lieEveryMs: 0,
    registerDownEveryMs: perhaps(3_000, 15_000),
    registerForgets: false,
    pageHostCount: 0,
    pagePauseEveryMs: 0,
    pageDeathEveryMs: 0,
    pageCutEveryMs: 0,
    aimAtLeaderChance: prng.pick([0, 0.5, 1]),
  };
}
