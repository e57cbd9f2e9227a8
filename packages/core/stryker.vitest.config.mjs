import { defineConfig } from 'vitest/config';

// What judges a mutant: everything but the random schedules, which take longer than all the rest and
// would make a survivor depend on a seed.
export default defineConfig({
  resolve: { conditions: ['source', 'module', 'node', 'development|production'] },
  ssr: { resolve: { conditions: ['source', 'module', 'node', 'development|production'] } },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['test/random.test.ts', 'test/fuzz.test.ts', '**/.stryker/**'],
  },
});
