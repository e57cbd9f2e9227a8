// The processes of `npm start`: one relay and its members, started, killed, started again, watched.
import { createInterface } from 'node:readline';
import { end, environment, start } from './run.mjs';
import { root } from './workspace.mjs';

export const command = `${root}/packages/quorate/bin/quorate.js`;
const startedWithinMs = 60_000;
const stoppedWithinMs = 10_000;
const answeredWithinMs = 500;

/** A process that is to run: `{ name, args, child, event, state }`. */
export class Fleet {
  #jobs = new Map();
  #stopping = false;
  #heard;

  /** `heard(name, event)` is told what the processes say; `{ event: 'gone' }` when one ended by itself. */
  constructor(heard) {
    this.#heard = heard;
  }

  /**
   * Starts one `quorate … --json` and resolves with its first event of life. Rejects, with what the
   * process said, when it ends or reports an error before that.
   */
  async start(name, args) {
    const job = { name, args, child: null, event: null, state: 'stopped', gateway: null };
    this.#jobs.set(name, job);
    return this.#launch(job);
  }

  /** The process id of a running job. */
  pidOf(name) {
    return this.#jobs.get(name)?.child?.pid ?? null;
  }

  /** What the page may see and do (see servePage). `gateways`: where members answer, by name. */
  switches(gateways) {
    const names = Object.keys(gateways);
    const jobOf = (name) => {
      const job = names.includes(name) ? this.#jobs.get(name) : undefined;
      if (job === undefined) throw Object.assign(new Error(`no member ${name}`), { status: 404 });
      return job;
    };
    return {
      list: () => Promise.all(names.map((name) => describe(jobOf(name), gateways[name]))),
      kill: (name) => this.#kill(jobOf(name)),
      start: async (name) => {
        const job = jobOf(name);
        if (job.state === 'stopped' && !this.#stopping) await this.#launch(job);
        return describe(job, gateways[name]);
      },
    };
  }

  /** Ends everything in order: members hand leadership over. */
  async stop() {
    this.#stopping = true;
    const children = [...this.#jobs.values()].flatMap(({ child }) => child ?? []);
    const gone = Promise.all(
      children.map((child) => new Promise((resolve) => child.on('exit', resolve))),
    );
    for (const child of children) end(child, 'SIGTERM');
    const late = setTimeout(() => {
      for (const child of children) end(child, 'SIGKILL');
    }, stoppedWithinMs);
    await gone;
    clearTimeout(late);
  }

  /** Ends the process at once, as a crash would; resolves when it is gone. */
  async #kill(job) {
    const { child } = job;
    if (child === null) return { goneAtMs: wallMs() };
    job.killed = true;
    const gone = new Promise((resolve) => child.once('exit', () => resolve(wallMs())));
    end(child, 'SIGKILL');
    const goneAtMs = await gone;
    this.#heard(job.name, { event: 'killed' });
    return { goneAtMs };
  }

  #launch(job) {
    return new Promise((resolve, reject) => {
      const child = start(process.execPath, [command, ...job.args, '--json'], {
        cwd: root,
        env: environment,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      Object.assign(job, { child, state: 'starting', killed: false });
      let complaint = '';
      const late = setTimeout(() => {
        reject(new Error(`${job.name} did not start within ${startedWithinMs / 1000} s`));
      }, startedWithinMs);
      createInterface({ input: child.stdout }).on('line', (line) => {
        const event = parse(line);
        if (event === undefined) return;
        if (event.event === 'listening' || event.event === 'started') {
          clearTimeout(late);
          Object.assign(job, { event, state: 'running' });
          resolve(event);
        }
        if (event.event === 'error') complaint = `${event.code}: ${event.message}`;
        this.#heard(job.name, event);
      });
      child.stderr.setEncoding('utf8').on('data', (text) => {
        complaint ||= text.trim();
      });
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        clearTimeout(late);
        const wasRunning = job.state === 'running';
        Object.assign(job, { child: null, state: 'stopped' });
        const how = signal ?? `exit ${code}`;
        if (wasRunning && !job.killed && !this.#stopping) {
          this.#heard(job.name, { event: 'gone', how });
        }
        reject(new Error(`Cannot start ${job.name} (${how}). ${advice(complaint)}`));
      });
    });
  }
}

async function describe({ name, child, event, state }, gateway) {
  const position = state === 'running' ? await positionOf(gateway) : null;
  return { label: name, nodeId: event?.nodeId ?? null, pid: child?.pid ?? null, state, position };
}

/** How far a member has applied the log; null where it does not say. */
async function positionOf(gateway) {
  try {
    const signal = AbortSignal.timeout(answeredWithinMs);
    const { appliedIndex } = await (await fetch(`${gateway}/v1/status`, { signal })).json();
    return appliedIndex ?? null;
  } catch {
    return null;
  }
}

/** Milliseconds since 1970, as a page of this machine counts them too. */
function wallMs() {
  return performance.timeOrigin + performance.now();
}

function advice(complaint) {
  if (complaint.includes('STORAGE_LOCKED')) {
    return `${complaint}\nThis cluster seems to run already: stop the other \`npm start\` first`;
  }
  return complaint;
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
