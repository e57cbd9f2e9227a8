/** `quorate restore` */
import { restoreBackup } from '@quorate/join/node';
import type { RestoreOptions, RestorePlan } from '@quorate/join/node';
import { dialAddress } from '../addresses.ts';
import { ask } from '../ask.ts';
import type { Run } from '../command.ts';
import { UsageError, positionals } from '../flags.ts';
import type { Flags } from '../flags.ts';
import type { Output } from '../output.ts';
import { publicNote, secretOf } from '../secrets.ts';
import { describeBackup } from './backup.ts';

export const runRestore: Run = async (flags, { output }) => {
  const [backup = ''] = positionals(flags, ['FILE'], 1);
  const options: RestoreOptions = {
    ...(await optionsOf(flags, output)),
    backup,
    confirm: (plan) => confirm(plan, flags, output),
  };
  const plan = await restoreAsking(options, output);
  const { clusterId, generation, revision, directory, info, replaces } = plan;
  output.result(
    { clusterId, generation, revision, directory, replaces, backup: info },
    `Restored ${info.namespace} as cluster ${clusterId} of generation ${generation}, ` +
      `revision ${revision}\nStart its first member on ${flags.text('data')}`,
  );
  return 0;
};

/** Asks for what has to be typed, where somebody can type it. */
async function restoreAsking(options: RestoreOptions, output: Output): Promise<RestorePlan> {
  try {
    return await restoreBackup(options);
  } catch (error) {
    const { wanted } = (error as { readonly details?: { readonly wanted?: string } }).details ?? {};
    if (wanted === undefined || !canAsk(output)) throw error;
    output.note(error instanceof Error ? error.message : String(error));
    if (wanted === 'replace') {
      const replace = await ask('First 8 digits of the cluster that is given up: ');
      return restoreBackup({ ...options, replace });
    }
    const above = Number(await ask('Highest revision ever seen: '));
    return restoreBackup({ ...options, above });
  }
}

async function confirm(plan: RestorePlan, flags: Flags, output: Output): Promise<boolean> {
  const { info, generation, replaces, directory } = plan;
  const lines = [
    ...describeBackup(info),
    ...(replaces === null
      ? []
      : [`Gives up cluster ${replaces.clusterId} of generation ${replaces.generation}`]),
    `Founds a new cluster of generation ${generation} in ${directory}`,
  ];
  output.note(lines.join('\n'));
  if (flags.boolean('yes')) return true;
  if (!canAsk(output)) throw new UsageError('--yes is missing: nobody is here to be asked');
  return /^y(es)?$/i.test(await ask('Restore it? [y/N] '));
}

function canAsk(output: Output): boolean {
  return !output.json && process.stdin.isTTY && process.stderr.isTTY;
}

async function optionsOf(flags: Flags, output: Output): Promise<Omit<RestoreOptions, 'backup'>> {
  const dataDir = flags.text('data');
  if (dataDir === undefined) throw new UsageError('--data is missing');
  const namespace = flags.text('namespace');
  const relays = flags.list('relay').map(dialAddress);
  const replace = flags.text('replace');
  const above = flags.number('above');
  const label = flags.text('label');
  const zone = flags.text('zone');
  if (relays.length === 0 && flags.text('secret-file') !== undefined) {
    throw new UsageError('--relay is missing: --secret-file is for a namespace on a relay');
  }
  const given = await secretOf(flags);
  const open = relays.length === 0 ? null : publicNote(given, flags, relays);
  if (open !== null) output.note(open);
  return {
    dataDir,
    ...(namespace === undefined ? {} : { namespace }),
    ...(relays.length === 0 ? {} : { relays, secret: given.secrets }),
    ...(replace === undefined ? {} : { replace }),
    ...(above === undefined ? {} : { above }),
    ...(label === undefined ? {} : { label }),
    ...(zone === undefined ? {} : { zone }),
  };
}
