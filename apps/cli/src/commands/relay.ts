/** `quorate relay`: one relay in one process, told as events. */
import { verifyRecord } from '@quorate/crypto';
import { dialAddress, listenAddress } from '../addresses.ts';
import type { Run } from '../command.ts';
import { UsageError, positionals } from '../flags.ts';
import { listeningOf, proxyNote } from '../listening.ts';
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
  const given = listen.length === 0 ? ['ws://127.0.0.1:7700'] : listen;
  const listening = await listeningOf(flags, output);
  const { startRelay } = await import('@quorate/transport-libp2p/relay');
  const relay = await startRelay({
    ...(ephemeral ? { ephemeral } : { directory }),
    init: flags.boolean('init'),
    fresh: flags.boolean('fresh'),
    listen: given,
    ...listening.options,
    ...(announce.length === 0 ? {} : { announce }),
    verify: verifyRecord,
  });
  try {
    if (!ephemeral && data === undefined) {
      output.note(`Keeping key and register in ${directory} (--data names another place)`);
    }
    const addresses = relay.addresses();
    output.result({ event: 'listening', addresses }, `Listening on ${addresses.join(', ')}`);
    const note = proxyNote(given, announce, listening.options);
    if (note !== null) output.note(note);
    if (relay.lost !== null) {
      const message = `The register is lost: ${relay.lost}`;
      output.result({ event: 'error', code: 'REGISTER_LOST', message }, `Error: ${message}`);
    } else if (relay.group === null) {
      output.note(
        'This relay only carries traffic: it has no register, so nobody can found or join a cluster ' +
          'here. Started once with --init it makes one and keeps it',
      );
    } else if (relay.heldMs > 0) {
      output.note(
        `The register is new: first claims wait ${relay.heldMs / 1_000} s for members of clusters ` +
          'that may be alive (--fresh: there are none)',
      );
    }
    await whenAborted(stop);
  } finally {
    listening.stopHearing();
    await relay.close();
  }
  output.result({ event: 'stopped' }, 'Stopped');
  return 0;
};
