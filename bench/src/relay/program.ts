/** A program of this folder, in a process of its own, that is told what to do over its channel. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export class Program<Order extends object, Told extends object> {
  readonly #child: ChildProcess;

  constructor(file: string) {
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)), [], {
      execArgv: ['--conditions=source', '--import', import.meta.resolve('tsx')],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  /** One order at a time; resolves with what the program says once it is carried out. */
  async tell(order: Order): Promise<Told> {
    const told = new Promise<Told>((resolve, reject) => {
      const ended = (): void => {
        reject(new Error('The program ended'));
      };
      this.#child.once('exit', ended);
      this.#child.once('message', (message) => {
        this.#child.off('exit', ended);
        resolve(message as Told);
      });
    });
    this.#child.send(order);
    return told;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.disconnect();
    await gone;
  }
}

/** What such a program does with its orders. */
export function serve<Order extends object, Told extends object>(
  carryOut: (order: Order) => Promise<Told>,
): void {
  process.on('message', (order: Order) => {
    carryOut(order).then(
      (told) => process.send?.(told),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.on('disconnect', () => process.exit(0));
}
