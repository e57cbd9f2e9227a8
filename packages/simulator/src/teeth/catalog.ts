/** All deliberate bugs. */
import type { Bug } from './bug.ts';
import { clusterBugs } from './cluster-bugs.ts';
import { coreBugs } from './core-bugs.ts';
import { pageBugs } from './page-bugs.ts';
import { relayBugs } from './relay-bugs.ts';
import { restoreBugs } from './restore-bugs.ts';

export const bugs: readonly Bug[] = [
  ...coreBugs,
  ...clusterBugs,
  ...pageBugs,
  ...relayBugs,
  ...restoreBugs,
];
