/** The members in Node.js, as their supervisor sees them, and the switches that it offers. */
import type { Network } from './config.ts';

export type Process = {
  readonly label: string;
  readonly nodeId: string | null;
  readonly pid: number | null;
  readonly state: 'running' | 'starting' | 'stopped';
  /** Index of the last entry it applied; null: it does not answer. */
  readonly position: number | null;
};

export class Processes {
  readonly #token: string;
  readonly #changed: (processes: readonly Process[]) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  current: readonly Process[] = [];

  constructor(
    network: Network & { readonly token: string },
    changed: (processes: readonly Process[]) => void,
  ) {
    this.#token = network.token;
    this.#changed = changed;
    void this.#poll();
  }

  /** Ends the process by SIGKILL. Resolves with the moment in which it was gone, by the wall clock. */
  async kill(label: string): Promise<number> {
    const { goneAtMs } = (await this.#post('kill', label)) as { goneAtMs: number };
    await this.#refresh();
    return goneAtMs;
  }

  async start(label: string): Promise<void> {
    await this.#post('start', label);
    await this.#refresh();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #post(action: 'kill' | 'start', label: string): Promise<unknown> {
    const response = await fetch(`/processes/${label}/${action}`, {
      method: 'POST',
      headers: { 'x-demo-token': this.#token },
    });
    if (!response.ok) throw new Error(`Cannot ${action} ${label}: ${await response.text()}`);
    return response.json();
  }

  async #poll(): Promise<void> {
    await this.#refresh();
    if (!this.#closed) this.#timer = setTimeout(() => void this.#poll(), pollMs);
  }

  async #refresh(): Promise<void> {
    try {
      const response = await fetch('/processes', { headers: { 'x-demo-token': this.#token } });
      if (!response.ok) return;
      this.current = (await response.json()) as readonly Process[];
    } catch {
      // The supervisor is gone, and its members with it: the cluster's own status says so.
      this.current = this.current.map((one) => ({ ...one, state: 'stopped', position: null }));
    }
    if (!this.#closed) this.#changed(this.current);
  }
}

const pollMs = 700;
