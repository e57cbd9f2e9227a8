/**
 * Makes a failing world smaller: takes kinds of trouble away and ends the storm sooner, as long as
 * the same check still fails. What is left is what matters.
 */
import { joinOverrides } from './overrides.ts';
import type { Overrides } from './overrides.ts';
import type { Check } from './violation.ts';
import type { WorldResult } from './world.ts';

export type ShrinkOptions = {
  /** What the seed drew. */
  readonly weather: object;
  readonly check: Check;
  readonly run: (overrides: Overrides) => Promise<WorldResult>;
  /** Hears of each step that still fails. */
  readonly kept: (step: Overrides) => void;
};

/** The overrides under which the world still fails `check`; as many as could be found. */
export async function shrink(options: ShrinkOptions): Promise<Overrides> {
  let overrides: Overrides = {};
  const keep = async (step: Overrides): Promise<boolean> => {
    const candidate = joinOverrides(overrides, step);
    const { check } = await options.run(candidate);
    if (check !== options.check) return false;
    overrides = candidate;
    options.kept(step);
    return true;
  };
  for (const step of quieter(options.weather)) await keep(step);
  // The storm's end: by halves while that goes, then by smaller and smaller parts.
  let stormMs = Number((options.weather as { stormMs: number }).stormMs);
  for (const part of [0.5, 0.75, 0.9, 0.97]) {
    while (await keep({ stormMs: Math.floor(stormMs * part) }))
      stormMs = Math.floor(stormMs * part);
  }
  return overrides;
}

/** Steps that take one trouble away each. */
export function quieter(weather: object): Overrides[] {
  const steps: Overrides[] = [];
  for (const [name, value] of Object.entries(weather) as [string, unknown][]) {
    if (typeof value === 'object' && value !== null) {
      for (const inner of quieter(value)) steps.push({ [name]: inner });
    } else if (
      typeof value === 'number' &&
      value > 0 &&
      /(EveryMs|Chance|Count|drift)$/.test(name)
    ) {
      if (!essential.has(name)) steps.push({ [name]: 0 });
    } else if (value === true && name !== 'lossy') {
      steps.push({ [name]: false });
    }
  }
  return steps;
}

/** Without these there is no world. */
const essential: ReadonlySet<string> = new Set(['hostCount', 'proposeEveryMs', 'revisionCountMax']);
