/** `quorate register show`, `restore`, `complete`, `release`: what the relays' register says of a namespace. */
import type { RegisterInfo } from '@quorate/client';
import { verifyRecord } from '@quorate/crypto';
import { dialAddress } from '../addresses.ts';
import type { Context, Run } from '../command.ts';
import { UsageError, positionals } from '../flags.ts';
import type { Flags } from '../flags.ts';
import { clientOf } from '../gateway-client.ts';
import { table } from '../output.ts';
import { secretOf, topicsOf } from '../secrets.ts';

export const runRegister: Run = async (flags, context) => {
  const [verb, topic] = positionals(flags, ['show, restore, complete or release', 'TOPIC'], 1);
  if (topic !== undefined && verb !== 'release') {
    throw new UsageError(`Unexpected argument ${topic}`);
  }
  switch (verb) {
    case 'show':
      return show(flags, context);
    case 'restore':
      return restore(flags, context);
    case 'complete':
      return complete(flags, context);
    case 'release':
      return release(flags, topic, context);
    default:
      throw new UsageError(`Unknown verb ${verb}, wanted show, restore, complete or release`);
  }
};

async function show(flags: Flags, { output }: Context): Promise<number> {
  const info = flags.list('relay').length > 0 ? await askRelays(flags) : await askGateway(flags);
  output.result(info, textOf(info));
  return info.record === null ? 1 : 0;
}

async function restore(flags: Flags, { output }: Context): Promise<number> {
  const client = await clientOf(flags);
  const timeoutMs = flags.number('timeout-ms', 1) ?? restoreTimeoutMs;
  const restored = await client.restoreRegister({ timeoutMs });
  const { clusterId, generation, group, changed } = restored;
  const what = `generation ${generation} of cluster ${clusterId} (group ${group})`;
  output.result(
    restored,
    changed ? `The register names ${what} again` : `The register named ${what} all the time`,
  );
  return 0;
}

async function complete(flags: Flags, { output }: Context): Promise<number> {
  const directory = relayDirectoryOf(flags);
  const { completeRegister } = await import('@quorate/transport-libp2p/relay');
  const completed = await completeRegister({ directory, verify: verifyRecord });
  output.result(
    { completed },
    completed
      ? 'The register counts as complete: whoever it does not know may found'
      : 'The register was complete all the time',
  );
  return 0;
}

function relayDirectoryOf(flags: Flags): string {
  const directory = flags.text('data');
  if (directory === undefined) throw new UsageError('--data is missing: the relay’s directory');
  return directory;
}

/** The topic is typed: there is no way back, and whoever comes next founds. */
async function release(
  flags: Flags,
  given: string | undefined,
  { output }: Context,
): Promise<number> {
  const directory = relayDirectoryOf(flags);
  const { registeredTopics, releaseTopic } = await import('@quorate/transport-libp2p/relay');
  const topics = await registeredTopics(directory);
  const topic = given ?? (await topicOf(flags));
  if (topic === undefined) {
    const known = topics.length === 0 ? 'the register holds none' : topics.join('\n  ');
    throw new UsageError(`TOPIC or --namespace is missing; topics here:\n  ${known}`);
  }
  if (!/^[0-9a-f]{64}$/.test(topic)) {
    throw new UsageError(`Cannot release ${topic}: wanted the 64 digits of a topic`);
  }
  const forced = flags.text('force');
  if (forced !== undefined && forced !== topic) {
    throw new UsageError(`Cannot release ${topic}: --force names ${forced}, wanted it once more`);
  }
  const { released, announced } = await releaseTopic({
    directory,
    topic,
    force: forced !== undefined,
    verify: verifyRecord,
  });
  output.result({ topic, released, announced }, releaseText(topic, released, announced));
  return released ? 0 : 1;
}

function releaseText(topic: string, released: boolean, announced: number): string {
  if (released) return `Released ${topic}: whoever comes next founds`;
  if (announced === 0) return `The register holds nothing of ${topic}`;
  return (
    `Not released: ${announced} host(s) are announced there, and may be members of a cluster that ` +
    `lives. Stop them, or give them up with --force ${topic}`
  );
}

async function askGateway(flags: Flags): Promise<RegisterInfo> {
  return (await clientOf(flags)).showRegister();
}

async function askRelays(flags: Flags): Promise<RegisterInfo> {
  const namespace = flags.text('namespace');
  if (namespace === undefined) throw new UsageError('--namespace is missing');
  const { lookAtRegister } = await import('@quorate/join');
  return lookAtRegister({
    namespace,
    relays: flags.list('relay').map(dialAddress),
    secret: (await secretOf(flags)).secrets,
    timeoutMs: flags.number('timeout-ms', 1) ?? 10_000,
  });
}

async function topicOf(flags: Flags): Promise<string | undefined> {
  const namespace = flags.text('namespace');
  if (namespace === undefined) return undefined;
  return topicsOf(namespace, await secretOf(flags))[0];
}

function textOf({ group, record, trouble, announced }: RegisterInfo): string {
  const held =
    record === null
      ? (trouble ?? 'nothing of this namespace')
      : `generation ${record.generation} of cluster ${record.clusterId}, ${record.state}`;
  const rows = [
    ['Group', group ?? '-'],
    ['Holds', held],
    ...announced.map(({ clusterId, generation, label }) => [
      'Announced',
      `${label}: generation ${generation} of cluster ${clusterId}`,
    ]),
  ];
  return table(rows);
}

/** A new register takes no first claim at once, and a member has to be found by the leader first. */
const restoreTimeoutMs = 40_000;
