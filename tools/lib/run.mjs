// Running other programs: in their own process group, so that they can be stopped whole.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { packageManager, root } from './workspace.mjs';

const groups = new Set();
const windows = process.platform === 'win32';

/**
 * What every program started here is told: the workspace's own commands come first (turbo looks for
 * the package manager there), nobody phones home, nobody asks questions.
 */
export const environment = {
  ...process.env,
  PATH: `${root}/node_modules/.bin${delimiter}${process.env.PATH ?? ''}`,
  DO_NOT_TRACK: '1',
  TURBO_TELEMETRY_DISABLED: '1',
  TURBO_NO_UPDATE_NOTIFIER: '1',
  npm_config_update_notifier: 'false',
  npm_config_fund: 'false',
  npm_config_audit: 'false',
};

/**
 * Runs a program to its end, its output passed through. Resolves with `{ code, output }`; `output`
 * is what it printed, kept only when asked for. A program that outlives `timeoutMs` is ended and
 * reported with code 124.
 */
export function run(command, args, options = {}) {
  const { cwd = root, env = environment, keep = false, quiet = false, timeoutMs } = options;
  return new Promise((resolve) => {
    const child = start(command, args, {
      cwd,
      env,
      stdio: ['ignore', keep || quiet ? 'pipe' : 'inherit', keep || quiet ? 'pipe' : 'inherit'],
    });
    let output = '';
    let late = false;
    const gather = (sink) => (chunk) => {
      output += chunk;
      if (!quiet) sink.write(chunk);
    };
    child.stdout?.setEncoding('utf8').on('data', gather(process.stdout));
    child.stderr?.setEncoding('utf8').on('data', gather(process.stderr));
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            late = true;
            console.error(`\n${command} ran for ${Math.round(timeoutMs / 1000)} s: ending it`);
            end(child, 'SIGTERM');
            setTimeout(() => end(child, 'SIGKILL'), 5_000).unref();
          }, timeoutMs);
    const settle = (code) => {
      clearTimeout(timer);
      resolve({ code: late ? 124 : code, output });
    };
    child.on('error', (error) => {
      console.error(`Cannot run ${command}: ${error.message}`);
      settle(127);
    });
    child.on('close', (code, signal) => settle(code ?? (signal === null ? 1 : 128)));
  });
}

/** Starts a program in a process group of its own; `end` and `endAll` reach its children too. */
export function start(command, args, options) {
  const child = spawn(command, args, { detached: !windows, ...options });
  groups.add(child);
  child.on('exit', () => groups.delete(child));
  return child;
}

export function end(child, signal) {
  if (child.pid === undefined) return;
  try {
    process.kill(windows ? child.pid : -child.pid, signal);
  } catch {
    // Already gone.
  }
}

/**
 * Ends whatever still runs, and this process, once it is asked to end. Returns a function that
 * takes this back.
 */
export function endAllOnSignal() {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const onSignal = (signal) => {
    for (const child of groups) end(child, signal);
    process.exit(130);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
}

/** Runs a package's command by Node itself, without a shell and without npx. */
export function runBin(packageName, binName, args, options) {
  return run(process.execPath, [binPath(packageName, binName), ...args], options);
}

export function binPath(packageName, binName) {
  const directory = `${root}/node_modules/${packageName}`;
  const { bin } = JSON.parse(readFileSync(`${directory}/package.json`, 'utf8'));
  return `${directory}/${typeof bin === 'string' ? bin : bin[binName]}`;
}

/**
 * Installs the workspace exactly as its lockfile says, with the exact package manager it names.
 * Needs nothing but Node and npm.
 */
export function install(options) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`Cannot run on Node.js ${process.versions.node}, wanted 20.19 or newer`);
    return Promise.resolve({ code: 1, output: '' });
  }
  const args = ['-y', packageManager, 'install', '--frozen-lockfile'];
  return windows ? run('npx.cmd', args, { shell: true, ...options }) : run('npx', args, options);
}
