/**
 * Somebody starts a member on its own disk with another secret than its replica was made with. Nothing
 * opens then, nothing is shown, and nothing on the disk is touched (Z42); later it is started as before.
 */
import type { Member } from '@quorate/cluster';
import { createPlainCipher } from '@quorate/contracts/memory';
import type { Cipher, StateMachine } from '@quorate/contracts';
import { KvStateMachine } from '@quorate/kv';
import type { Prng } from './prng.ts';
import type { SimHost } from './sim-host.ts';
import type { StormWorld } from './storm.ts';
import { violated } from './violation.ts';
import { ProcessClock } from './virtual-clock.ts';
import type { Platter, VirtualDisk } from './virtual-disk.ts';

/** What it needs of its world, beside what a storm does. */
export type OtherSecretWorld = StormWorld & {
  /** A member on `disk`, under a name that is nobody's, and with the secret of `cipher`. */
  stranger(
    id: string,
    disk: VirtualDisk,
    clock: ProcessClock,
    machine: StateMachine,
    cipher: Cipher,
  ): Member;
};

export class OtherSecret {
  readonly #world: OtherSecretWorld;
  readonly #prng: Prng;
  readonly #cipher: Cipher = createPlainCipher({ namespace: 'simulation', secrets: ['another'] });
  #running: { readonly host: SimHost; readonly clock: ProcessClock } | null = null;
  #over = false;

  constructor(world: OtherSecretWorld, prng: Prng) {
    this.#world = world;
    this.#prng = prng;
  }

  begin(everyMs: number): void {
    this.#world.clock.setTimeout(
      () => {
        if (this.#over) return;
        this.#startSomebody();
        this.begin(everyMs);
      },
      this.#prng.between(0.2, 1.8) * everyMs,
    );
  }

  end(): void {
    this.#over = true;
    this.#close();
  }

  #startSomebody(): void {
    const host = this.#prng.pick(this.#world.hosts);
    const { disk, process } = host;
    if (this.#running !== null || process?.closing !== false || disk.isBlank) return;
    this.#world.count('other secrets');
    this.#world.note(`start with another secret ${host.id}`);
    host.crash();
    const clock = new ProcessClock(this.#world.clock);
    const running = { host, clock };
    this.#running = running;
    const before = disk.copy();
    const member = this.#world.stranger(otherId, disk, clock, new KvStateMachine(), this.#cipher);
    member.subscribe(() => {
      if (this.#running !== running) return;
      this.#world.guard(() => {
        checkNothing(host, member, before);
      });
    });
    void member.start();
    this.#world.clock.setTimeout(
      () => {
        if (this.#running !== running) return;
        this.#close();
        this.#world.start(host);
      },
      this.#prng.between(50, 3_000),
    );
  }

  #close(): void {
    if (this.#running === null) return;
    const { host, clock } = this.#running;
    this.#running = null;
    clock.kill();
    this.#world.network.crash(otherId);
    host.disk.crash();
  }
}

const otherId = 'other-secret';

function checkNothing({ id, disk }: SimHost, member: Member, before: Platter): void {
  const { phase, reason, nodeId, clusterId } = member.status;
  if (nodeId !== null || clusterId !== null) {
    violated('secret', `${id} is opened with another secret than it was made with (Z42)`);
  }
  if (phase === 'stopped' && reason !== 'BAD_SECRET') {
    violated('secret', `${id} is started with another secret, and ends for ${reason} (Z42)`);
  }
  const { identity, hardState, snapshot, entries } = disk.platter;
  const isUntouched =
    identity === before.identity &&
    hardState === before.hardState &&
    snapshot === before.snapshot &&
    entries.length === before.entries.length;
  if (!isUntouched) violated('secret', `${id} is written to with another secret (Z42)`);
}
