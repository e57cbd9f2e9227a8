/** What every Register does: a versioned value, set only by those who know the present one. */
import type { RegisterTest } from '../conformance-runner.ts';
import { registerValueBytesMax } from '../register.ts';
import type { Register } from '../register.ts';
import { check, rejectionOf } from './network-checks.ts';

/** One place that decides, for one case. */
export type RegisterWorld = {
  /** The register of a namespace as a holder of `secret` sees it; a new client each time. */
  register(namespace: string, secret: string): Promise<Register>;
  /**
   * Where a name belongs to those who are here: makes a member of it appear. Left out where it belongs to
   * whoever has it.
   */
  appear?(namespace: string, secret: string): Promise<void>;
  /** Ends the place that decides and starts it again with what it had made durable. */
  restart?(): Promise<void>;
  cleanup(): Promise<void>;
};

export type RegisterConformance = {
  readonly test: RegisterTest;
  readonly create: () => Promise<RegisterWorld>;
};

export function registerConformance(options: RegisterConformance): void {
  const { test, create } = options;
  const inWorld = (name: string, run: (world: RegisterWorld) => Promise<void>): void => {
    test(`Register: ${name}`, async () => {
      const world = await create();
      try {
        await run(world);
      } finally {
        await world.cleanup();
      }
    });
  };
  const patience = (): AbortSignal => AbortSignal.timeout(10_000);
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const text = (value: Uint8Array | undefined): string => new TextDecoder().decode(value);

  inWorld('an empty one reads as null, and the first version is 1', async (world) => {
    const register = await world.register('one', 'secret');
    check((await register.read(patience())) === null, 'nothing was set');
    const set = await register.compareAndSet(0, bytes('first'), patience());
    check(set.ok && set.version === 1, 'the first set makes version 1');
    const record = await register.read(patience());
    check(record?.version === 1 && text(record.value) === 'first', 'what was set is read');
    check(register.group.length > 0, 'the group is known after an answer');
  });

  inWorld('compareAndSet refuses another version and tells the current value', async (world) => {
    const register = await world.register('one', 'secret');
    const missing = await register.compareAndSet(3, bytes('x'), patience());
    check(!missing.ok && missing.current === null, 'version 3 of nothing is refused');
    await register.compareAndSet(0, bytes('first'), patience());
    const late = await register.compareAndSet(0, bytes('second'), patience());
    check(!late.ok && late.current?.version === 1, 'a second first set is refused');
    check(text(late.current.value) === 'first', 'and the current value comes with it');
    const next = await register.compareAndSet(1, bytes('second'), patience());
    check(next.ok && next.version === 2, 'the right version sets');
    const record = await register.read(patience());
    check(record?.version === 2 && text(record.value) === 'second', 'the new value is read');
  });

  inWorld('of many who claim at once exactly one wins (Z10)', async (world) => {
    const registers = await Promise.all(
      Array.from({ length: 8 }, async () => world.register('race', 'secret')),
    );
    const results = await Promise.all(
      registers.map(async (register, index) =>
        register.compareAndSet(0, bytes(`founder ${index}`), patience()),
      ),
    );
    const winners = results.flatMap((result, index) => (result.ok ? [index] : []));
    check(winners.length === 1, 'one compareAndSet succeeded');
    for (const register of registers) {
      const record = await register.read(patience());
      check(text(record?.value) === `founder ${winners[0]}`, 'everybody reads the winner');
    }
  });

  inWorld('namespaces are apart', async (world) => {
    const one = await world.register('one', 'secret');
    const two = await world.register('two', 'secret');
    await one.compareAndSet(0, bytes('first'), patience());
    check((await two.read(patience())) === null, 'another namespace is empty');
  });

  inWorld('a wrong secret is BAD_SECRET, counted, and changes nothing', async (world) => {
    const owner = await world.register('one', 'secret');
    await owner.compareAndSet(0, bytes('first'), patience(), true);
    await world.appear?.('one', 'secret');
    const stranger = await world.register('one', 'another secret');
    check((await rejectionOf(stranger.read(patience()))) === 'BAD_SECRET', 'read is refused');
    const claim = stranger.compareAndSet(0, bytes('mine'), patience());
    check((await rejectionOf(claim)) === 'BAD_SECRET', 'a claim is refused');
    const record = await owner.read(patience());
    check(record?.version === 1 && text(record.value) === 'first', 'the value is untouched');
    check(record.refusedCount === 2, 'both refusals were counted');
  });

  inWorld('a value as long as may be is kept', async (world) => {
    const register = await world.register('one', 'secret');
    const value = Uint8Array.from({ length: registerValueBytesMax }, (_, index) => index & 0xff);
    const set = await register.compareAndSet(0, value.slice(), patience());
    check(set.ok, 'it is set');
    const record = await register.read(patience());
    check(record?.value.length === value.length, 'all of it is read');
    check(
      value.every((byte, index) => record.value[index] === byte),
      'byte by byte',
    );
  });

  inWorld('what was set survives a restart (F15)', async (world) => {
    if (world.restart === undefined) return;
    const register = await world.register('one', 'secret');
    await register.compareAndSet(0, bytes('first'), patience());
    await register.compareAndSet(1, bytes('second'), patience(), true);
    await world.restart();
    const record = await (await world.register('one', 'secret')).read(patience());
    check(record?.version === 2 && text(record.value) === 'second', 'the value is still there');
    const stale = await register.compareAndSet(1, bytes('third'), patience());
    check(!stale.ok, 'an old version is still refused');
    await world.appear?.('one', 'secret');
    const stranger = await world.register('one', 'another secret');
    check((await rejectionOf(stranger.read(patience()))) === 'BAD_SECRET', 'the name is bound');
  });

  inWorld('an aborted call is UNREACHABLE', async (world) => {
    const register = await world.register('one', 'secret');
    const read = register.read(AbortSignal.abort());
    check((await rejectionOf(read)) === 'UNREACHABLE', 'the code is UNREACHABLE');
  });
}
