/**
 * Builds the simulator with one deliberate bug in it: a bundle in a directory of its own, from the
 * sources as they are, with the bug's edits made on the way.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Plugin } from 'esbuild';
import { applyEdits } from './bug.ts';
import type { Bug } from './bug.ts';

const packages = fileURLToPath(new URL('../../../', import.meta.url));

/** Writes the program of `bug` to `outfile`. Throws where an edit does not fit. */
async function buildProgram(bug: Bug, outfile: string): Promise<void> {
  const edited = new Set<string>();
  await build({
    entryPoints: [join(packages, 'simulator/src/teeth/program.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    conditions: ['source'],
    sourcemap: 'inline',
    sourcesContent: false,
    logLevel: 'error',
    plugins: [editing(bug, edited)],
  });
  for (const { file } of bug.edits) {
    if (!edited.has(file)) throw new RangeError(`Cannot build bug ${bug.id}: ${file} is unused`);
  }
}

/** Hands the program of `bug` to `use`, and takes it away again. */
export async function withProgram(bug: Bug, use: (script: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-bug-'));
  try {
    const script = join(directory, 'program.mjs');
    await buildProgram(bug, script);
    await use(script);
  } finally {
    await rm(directory, { recursive: true });
  }
}

function editing(bug: Bug, edited: Set<string>): Plugin {
  const files = new Set(bug.edits.map(({ file }) => file));
  return {
    name: 'deliberate-bug',
    setup: (build) => {
      build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const file = relative(packages, path).split(sep).join('/');
        if (!files.has(file)) return undefined;
        edited.add(file);
        const source = await readFile(path, 'utf8');
        return { contents: applyEdits(bug, file, source), loader: 'ts' };
      });
    },
  };
}
