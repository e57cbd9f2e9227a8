/** `quorate relay`: one relay in one process, told as events. */
import { verifyRecord } from '@quorate/crypto';
import { dialAddress, listenAddress } from '../addresses.ts';
import type { Run } from '../command.ts';
import { UsageError, positionals } from '../flags.ts';
import { whenAborted } from '../signals.ts';

export const runRelay: Run = async (flags, { output, stop }) => {
  positionals(flags, [], 0);
  const ephemeral = flags.boolean('ephemeral');
  const data = flags.text('data');
  if (ephemeral && data !== undefined)
    throw new UsageError('Wanted --data or --ephemeral, not both');
  const directory = data ?? './quorate-relay';
  const listen = flags.list('listen').map(listenAddress);
  const announce = flags.list('announce').map(dialAddress);
  const { startRelay } = await import('@quorate/transport-libp2p/relay');
  const relay = await startRelay({
    ...(ephemeral ? { ephemeral } : { directory }),
    init: flags.boolean('init'),
    listen: listen.length === 0 ? ['ws://127.0.0.1:7700'] : listen,
    ...(announce.length === 0 ? {} : { announce }),
    verify: verifyRecord,
  });
  try {
    if (!ephemeral && data === undefined) {
      output.note(`Keeping key and register in ${directory} (--data names another place)`);
    }
    const addresses = relay.addresses();
    output.result({ event: 'listening', addresses }, `Listening on ${addresses.join(', ')}`);
    if (relay.lost !== null) {
      const message = `The register is lost: ${relay.lost}`;
      output.result({ event: 'error', code: 'REGISTER_LOST', message }, `Error: ${message}`);
    } else if (relay.group === null) {
      output.note('This relay only carries traffic; with --init it would also keep a register');
    }
    await whenAborted(stop);
  } finally {
    await relay.close();
  }
  output.result({ event: 'stopped' }, 'Stopped');
  return 0;
};
