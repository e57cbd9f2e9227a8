// What the tools know about this workspace: its root, its packages, its files.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The workspace's directory, without a slash at the end. */
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '');

export const manifest = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));

/** The exact package manager, such as `pnpm@10.33.0`: run it as `npx -y <this>`. */
export const packageManager = manifest.packageManager;

/** Every package: where it is, what it is called, its manifest and its part (its boundaries tag). */
export function packages() {
  const directories = [
    ...childrenOf('packages').map((name) => `packages/${name}`),
    ...childrenOf('apps').map((name) => `apps/${name}`),
    'e2e',
    'bench',
  ];
  return directories
    .filter((directory) => existsSync(`${root}/${directory}/package.json`))
    .map((directory) => ({
      directory,
      short: directory.split('/').at(-1),
      manifest: readJson(`${directory}/package.json`),
      tag: existsSync(`${root}/${directory}/turbo.json`)
        ? readJson(`${directory}/turbo.json`).tags?.[0]
        : undefined,
    }));
}

/**
 * Every file under version control or about to be, relative to the root. Outside a git checkout
 * (an unpacked archive): every file that is not installed or built.
 */
export function files() {
  try {
    const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return [...new Set(listed.split('\0'))]
      .filter((file) => file !== '' && existsSync(`${root}/${file}`))
      .sort();
  } catch {
    return walk('').sort();
  }
}

export function read(file) {
  return readFileSync(`${root}/${file}`, 'utf8');
}

export function readJson(file) {
  return JSON.parse(read(file));
}

function childrenOf(directory) {
  return existsSync(`${root}/${directory}`) ? readdirSync(`${root}/${directory}`).sort() : [];
}

const unlisted = new Set(['node_modules', 'dist', 'coverage', 'test-results', 'quorate-data']);

function walk(directory) {
  return readdirSync(`${root}/${directory}`, { withFileTypes: true }).flatMap((entry) => {
    const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
    if (unlisted.has(entry.name) || ['.git', '.turbo', '.quorate'].includes(entry.name)) return [];
    return entry.isDirectory() ? walk(path) : [path];
  });
}
