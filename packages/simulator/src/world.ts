/** What every kind of world is asked, and what it answers. */
import type { Overrides } from './overrides.ts';
import type { Check } from './violation.ts';

export const suites = ['core', 'cluster', 'restore'] as const;

/** `core`: bare consensus machines. `cluster`: whole members. `restore`: a cluster that is lost. */
export type Suite = (typeof suites)[number];

export type WorldOptions = {
  readonly seed: number;
  /** How many members (cluster) or voters (core). Default: drawn. */
  readonly members?: number | undefined;
  /** Hears of everything that happens, one line each. */
  readonly trace?: ((line: string) => void) | undefined;
  /** Hears what each replica does, as lines of JSON. */
  readonly states?: ((line: string) => void) | undefined;
  /** What is not as the seed drew it. */
  readonly weather?: Overrides | undefined;
};

export type WorldResult = {
  readonly seed: number;
  readonly suite: Suite;
  /** Which property broke; null when everything held. */
  readonly check: Check | null;
  /** How it broke, in words; null when everything held. */
  readonly failure: string | null;
  /** What the seed drew, with what was overridden. */
  readonly weather: object;
  /** The same for the same seed, whoever runs it. */
  readonly eventHash: string;
  readonly virtualMs: number;
  /** How many members it had. */
  readonly memberCount: number;
  readonly eventCount: number;
  readonly counts: Readonly<Record<string, number>>;
};

/** A result with the milliseconds that a processor worked for it. */
export type MeasuredResult = WorldResult & { readonly cpuMs: number };
