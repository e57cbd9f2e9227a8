import js from '@eslint/js';
import { existsSync, readdirSync } from 'node:fs';
import tseslint from 'typescript-eslint';

const root = import.meta.dirname;
const sources = ['packages/**/*.ts', 'apps/**/*.ts', 'e2e/**/*.ts', 'bench/**/*.ts', '*.ts'];
const packages = [
  ...readdirSync(`${root}/packages`).map((name) => `packages/${name}`),
  ...readdirSync(`${root}/apps`).map((name) => `apps/${name}`),
  'e2e',
  'bench',
].filter((directory) => existsSync(`${root}/${directory}/tsconfig.json`));
const tests = ['**/*.test.ts', '**/test/**/*.ts', '**/conformance/**/*.ts', 'e2e/**/*.ts'];

export default tseslint.config(
  {
    ignores: [
      '**/node_modules/',
      '**/dist/',
      '**/coverage/',
      '.turbo/',
      '.quorate/',
      'quorate-data/',
      'test-results/',
      '**/.stryker-tmp/',
    ],
  },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    ...js.configs.recommended,
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: {
        AbortController: 'readonly',
        AbortSignal: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        clearInterval: 'readonly',
        clearTimeout: 'readonly',
        console: 'readonly',
        fetch: 'readonly',
        performance: 'readonly',
        process: 'readonly',
        setInterval: 'readonly',
        setTimeout: 'readonly',
      },
    },
  },
  {
    files: sources,
    extends: [js.configs.recommended, ...tseslint.configs.recommendedTypeChecked],
    rules: {
      // The compiler knows undefined names better than the linter does.
      'no-undef': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-var': 'error',
      'prefer-const': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' },
      ],
      // A contract may ask for a promise where an implementation has nothing to wait for.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allowNullish: true },
      ],
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportAllDeclaration', message: 'Export names one by one.' },
        { selector: 'TSEnumDeclaration', message: 'Use a union of literals.' },
      ],
    },
  },
  // One program per package, the one that holds its tests too: nothing is type-checked twice.
  ...packages.map((directory) => ({
    files: [`${directory}/**/*.ts`],
    languageOptions: { parserOptions: { project: programOf(directory), tsconfigRootDir: root } },
  })),
  {
    files: ['*.ts'],
    languageOptions: { parserOptions: { project: 'tsconfig.json', tsconfigRootDir: root } },
  },
  {
    files: tests,
    rules: {
      // Test runners hand out unbound matchers and take async callbacks everywhere.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
    },
  },
);

/** The tsconfig whose program holds every TypeScript file of a package. */
function programOf(directory) {
  const withTests = `${directory}/tsconfig.test.json`;
  return existsSync(`${root}/${withTests}`) ? withTests : `${directory}/tsconfig.json`;
}
