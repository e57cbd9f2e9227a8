import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// One project per workspace package, named like its directory. Every @quorate/* import resolves to
// the TypeScript source of that package through the export condition `source`.
const root = fileURLToPath(new URL('.', import.meta.url));
const directories = [
  ...readdirSync(`${root}packages`).map((name) => `packages/${name}`),
  ...readdirSync(`${root}apps`).map((name) => `apps/${name}`),
  'bench',
  'e2e',
  'tools',
].filter((directory) => directory === 'tools' || existsSync(`${root}${directory}/package.json`));

const conditions = ['source', 'module', 'node', 'development|production'];

export default defineConfig({
  test: {
    passWithNoTests: true,
    projects: directories.map((directory) => {
      const name = directory.split('/').at(-1) ?? directory;
      return {
        root: `${root}${directory}`,
        resolve: { conditions },
        ssr: { resolve: { conditions } },
        test: {
          name,
          environment: 'node',
          include: name === 'tools' ? ['**/*.test.mjs'] : ['src/**/*.test.ts', 'test/**/*.test.ts'],
          // Real processes get minutes, and one file at a time: they share this machine's cores.
          ...(name === 'e2e'
            ? { testTimeout: 300_000, hookTimeout: 120_000, fileParallelism: false }
            : { testTimeout: 30_000, hookTimeout: 30_000 }),
        },
      };
    }),
  },
});
