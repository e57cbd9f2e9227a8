/** Worker processes that run worlds side by side. A world that never ends is a failed world. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Overrides } from './overrides.ts';
import type { MeasuredResult, Suite } from './world.ts';

export type WorkerTask = {
  readonly suite: Suite;
  readonly seed: number;
  readonly members?: number | undefined;
  readonly weather?: Overrides | undefined;
};

export type PoolOptions = {
  readonly script: string;
  readonly workerCount: number;
  /** Real milliseconds that one world may take. */
  readonly taskTimeoutMs: number;
  /** Options of the runtime for workers; default: those of this process. */
  readonly execArgv?: readonly string[];
  readonly done: (task: WorkerTask, result: MeasuredResult | null, trouble: string | null) => void;
};

/** Runs every task; resolves when all are done. */
export async function runTasks(tasks: Iterable<WorkerTask>, options: PoolOptions): Promise<void> {
  const queue = tasks[Symbol.iterator]();
  const lanes = Array.from({ length: options.workerCount }, () => runLane(queue, options));
  await Promise.all(lanes);
}

async function runLane(queue: Iterator<WorkerTask>, options: PoolOptions): Promise<void> {
  let child: ChildProcess | null = null;
  for (let next = queue.next(); next.done !== true; next = queue.next()) {
    child ??= fork(options.script, ['--worker'], {
      execArgv: [...(options.execArgv ?? process.execArgv)],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const answer: MeasuredResult | string = await ask(child, next.value, options.taskTimeoutMs);
    if (typeof answer === 'string') {
      options.done(next.value, null, answer);
      child.kill('SIGKILL');
      child = null;
    } else {
      options.done(next.value, answer, null);
    }
  }
  child?.disconnect();
}

function ask(
  child: ChildProcess,
  task: WorkerTask,
  timeoutMs: number,
): Promise<MeasuredResult | string> {
  return new Promise((resolve) => {
    const settle = (answer: MeasuredResult | string): void => {
      clearTimeout(timer);
      child.off('message', onMessage);
      child.off('exit', onExit);
      resolve(answer);
    };
    const onMessage = (message: unknown): void => {
      settle(message as MeasuredResult);
    };
    const onExit = (code: number | null): void => {
      settle(`the process ended with ${code}`);
    };
    const timer = setTimeout(() => {
      settle(`no end after ${timeoutMs} ms of real time`);
    }, timeoutMs);
    child.on('message', onMessage);
    child.on('exit', onExit);
    child.send(task);
  });
}
