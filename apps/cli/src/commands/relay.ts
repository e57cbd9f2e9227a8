/** `quorate relay`: one relay in one process, told as events. */
import { verifyRecord } from '@quorate/crypto';
import type { Relay } from '@quorate/transport-libp2p/relay';
import { dialAddress, listenAddress } from '../addresses.ts';
import { allowedTopics } from '../allowed-topics.ts';
import type { Run } from '../command.ts';
import { UsageError, positionals } from '../flags.ts';
import type { Flags } from '../flags.ts';
import { listeningOf, proxyNote } from '../listening.ts';
import type { Output } from '../output.ts';
import { onHangUp, whenAborted } from '../signals.ts';

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
  const allow = await allowedTopics(flags);
  const listening = await listeningOf(flags, output);
  const { revertedMessage, startRelay } = await import('@quorate/transport-libp2p/relay');
  const { limitsOf } = await import('../limits.ts');
  const limits = limitsOf(flags.list('limit'));
  const relay = await startRelay({
    ...(ephemeral ? { ephemeral } : { directory }),
    init: flags.boolean('init'),
    fresh: flags.boolean('fresh'),
    listen: given,
    ...listening.options,
    limits,
    peers: flags.list('peer').map(dialAddress),
    ...(allow === null ? {} : { allow }),
    ...(announce.length === 0 ? {} : { announce }),
    verify: verifyRecord,
    onEvent: (event) => {
      if (event.type === 'reverted') lost(event.message, output);
    },
  });
  const stopHearing =
    flags.text('allow-file') === undefined
      ? () => {}
      : onHangUp(() => void allowAgain(relay, flags, output));
  try {
    if (!ephemeral && data === undefined) {
      output.note(`Keeping key and register in ${directory} (--data names another place)`);
    }
    const addresses = relay.addresses();
    output.result({ event: 'listening', addresses }, `Listening on ${addresses.join(', ')}`);
    const note = proxyNote(given, announce, listening.options);
    if (note !== null) output.note(note);
    if (relay.lost !== null) {
      lost(`The register is lost: ${relay.lost}`, output);
    } else if (relay.isIncomplete) {
      lost(revertedMessage, output);
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
    stopHearing();
    await relay.close();
  }
  output.result({ event: 'stopped' }, 'Stopped');
  return 0;
};

function lost(message: string, output: Output): void {
  output.result({ event: 'error', code: 'REGISTER_LOST', message }, `Error: ${message}`);
}

/** Never rejects: whatever the file holds now, the list of before goes on. */
async function allowAgain(relay: Relay, flags: Flags, output: Output): Promise<void> {
  try {
    const topics = await allowedTopics(flags);
    relay.allow(topics);
    output.note(`Serving ${topics?.length ?? 'all'} topics now`);
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    output.note(`${words}; the list of before stays in use`);
  }
}
