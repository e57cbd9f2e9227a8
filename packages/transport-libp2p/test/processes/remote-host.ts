/** A Transport whose host runs in another process. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { HostId } from '@quorate/contracts';
import { RemoteTransport } from '../remote-transport.ts';
import type { FromHost } from '../remote-messages.ts';

export type RemoteHostOptions = {
  readonly privateKey: Uint8Array;
  readonly listen: readonly string[];
  readonly relays: readonly string[];
  readonly topic: string;
};

/** Starts a TypeScript program of this folder in a process of its own. */
export function runProgram(name: string, ...args: string[]): ChildProcess {
  const path = fileURLToPath(new URL(name, import.meta.url));
  return fork(path, args, {
    execArgv: ['--conditions=source', '--import', import.meta.resolve('tsx')],
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

export class RemoteHost extends RemoteTransport {
  readonly #process: ChildProcess;

  static async launch(options: RemoteHostOptions): Promise<RemoteHost> {
    const child = runProgram(
      './host-main.ts',
      JSON.stringify({ ...options, privateKey: Buffer.from(options.privateKey).toString('hex') }),
    );
    const ready = await new Promise<Extract<FromHost, { type: 'ready' }>>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`The host ended with ${code}`)));
      child.on('message', (message: FromHost) => {
        if (message.type === 'ready') resolve(message);
      });
    });
    return new RemoteHost(child, ready.host, ready.addresses);
  }

  private constructor(child: ChildProcess, host: HostId, addresses: readonly string[]) {
    super(
      (message) => {
        if (child.connected) child.send(message);
      },
      host,
      addresses,
    );
    this.#process = child;
    child.on('message', (message: FromHost) => this.heard(message));
  }

  override async close(): Promise<void> {
    if (this.#process.connected) await super.close();
  }

  /** Ends the process: politely, or as a crash would. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill(signal);
    await gone;
  }
}
