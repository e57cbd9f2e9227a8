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
  #counter = 0;
  #signing: Promise<void> | null = null;
  #cancel: () => void = () => {};
  certificate: Uint8Array = new Uint8Array();

  constructor(options: GroupProofOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#sign();
    this.#schedule();
  }

  /** One that says what the register has come to by now. */
  async current(): Promise<Uint8Array> {
    if (this.#options.counter() > this.#counter) {
      this.#signing ??= this.#sign().finally(() => (this.#signing = null));
      await this.#signing;
    }
    return this.certificate;
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
    const { groupKey, peer } = this.#options;
    const fromMs = this.#nowMs();
    const counter = this.#options.counter();
    const content = { peer, counter, fromMs, untilMs: fromMs + certificateMs };
    const certificate = await signCertificate(groupKey, content);
    // Two may be under way, and the later one ends first.
    if (counter < this.#counter) return;
    [this.#fromMs, this.#counter, this.certificate] = [fromMs, counter, certificate];
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
