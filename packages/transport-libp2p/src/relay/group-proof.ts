/** What a relay of a group shows (Z59): a certificate by the group's key, renewed before it ends. */
import type { PrivateKey } from '@libp2p/interface';
import type { Clock } from '@quorate/contracts';
import { certificateMs, signCertificate } from '../wire/certificate.ts';

export type GroupProofOptions = {
  readonly groupKey: PrivateKey;
  /** This relay's id. */
  readonly peer: string;
  /** The register's revision. */
  readonly counter: () => number;
  readonly clock: Clock;
  /** There is another certificate. */
  readonly onRenewed: () => void;
};

export class GroupProof {
  readonly #options: GroupProofOptions;
  #fromMs = 0;
  #cancel: () => void = () => {};
  certificate: Uint8Array = new Uint8Array();

  constructor(options: GroupProofOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#sign();
    this.#schedule();
  }

  /** Signs another one now, such as after the counter was raised. */
  async renew(): Promise<void> {
    await this.#sign();
    this.#options.onRenewed();
  }

  stop(): void {
    this.#cancel();
  }

  async #sign(): Promise<void> {
    const { groupKey, peer, counter } = this.#options;
    this.#fromMs = this.#nowMs();
    const untilMs = this.#fromMs + certificateMs;
    this.certificate = await signCertificate(groupKey, {
      ...{ peer, counter: counter(), fromMs: this.#fromMs, untilMs },
    });
  }

  /** Looks often: a machine that slept, or whose clock was set, is late or early. */
  #schedule(): void {
    this.#cancel = this.#options.clock.setTimeout(() => {
      const ageMs = this.#nowMs() - this.#fromMs;
      const isDue = ageMs >= certificateMs / 2 || ageMs < 0;
      void (isDue ? this.renew() : Promise.resolve()).then(() => this.#schedule());
    }, lookMs);
  }

  #nowMs(): number {
    const { clock } = this.#options;
    return Math.floor(clock.originMs === undefined ? Date.now() : clock.originMs + clock.now());
  }
}

const lookMs = 10 * 60_000;
