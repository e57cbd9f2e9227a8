/**
 * A deliberate bug: an edit of production source that exists only in a build made for it, so that
 * one can see which check finds it. Production code holds no switch.
 */
import type { Check } from '../violation.ts';
import type { Suite } from '../world.ts';

export type Bug = {
  readonly id: string;
  /** What is wrong, in a few words. */
  readonly what: string;
  /** The rule, situation or section of the paper that it breaks. */
  readonly breaks: string;
  /** The kind of world that should notice. */
  readonly suite: Suite;
  readonly edits: readonly Edit[];
  /** The check that its build does without. */
  readonly without?: Check;
};

export type Edit = {
  /** Below `packages/`. */
  readonly file: string;
  /** Text that the file holds exactly once. */
  readonly find: string;
  readonly replace: string;
};

/** `bug` in a build that does not look for what `check` finds: is there another one that finds it? */
export function withoutCheck(bug: Bug, check: Check): Bug {
  const find = 'const off: readonly Check[] = [];';
  const replace = `const off: readonly Check[] = ['${check}'];`;
  const edits = [...bug.edits, { file: 'simulator/src/violation.ts', find, replace }];
  // Production's own: without them it goes on.
  if (check === 'assertion') edits.push(noAssertions);
  return { ...bug, edits, without: check };
}

const noAssertions: Edit = {
  file: 'core/src/assert.ts',
  find: 'if (!condition) throw',
  replace: 'if (!condition && text === null) throw',
};

/**
 * `source` with those of `edits` made that concern `file`. Throws `RangeError` where the text to
 * replace is missing or there more than once: a bug that is not in the build tests nothing.
 */
export function applyEdits(bug: Bug, file: string, source: string): string {
  let text = source;
  for (const edit of bug.edits) {
    if (edit.file !== file) continue;
    const count = text.split(edit.find).length - 1;
    if (count !== 1) {
      throw new RangeError(
        `Cannot build bug ${bug.id}: ${file} holds ${JSON.stringify(edit.find)} ${count} times, wanted once`,
      );
    }
    text = text.replace(edit.find, () => edit.replace);
  }
  return text;
}
