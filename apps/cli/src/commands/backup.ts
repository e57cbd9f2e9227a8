/** `quorate backup` */
import { backupOfStopped, checkBackup } from '@quorate/join/node';
import type { BackupInfo } from '@quorate/join/node';
import type { Run } from '../command.ts';
import { UsageError, positionals } from '../flags.ts';
import type { Flags } from '../flags.ts';
import { gatewayStream } from '../gateway-stream.ts';
import { passing, writeFileWhole } from '../output-file.ts';
import { Progress } from '../progress.ts';

export const runBackup: Run = async (flags, { output }) => {
  const [path = ''] = positionals(flags, ['FILE'], 1);
  const progress = new Progress('Backed up', process.stderr, output.json);
  let bytes = 0;
  const { info, checksum } = await writeFileWhole(path, async (write) => {
    const chunks = passing(await sourceOf(flags), async (chunk) => {
      bytes += chunk.length;
      progress.add(chunk.length);
      await write(chunk);
    });
    // It is read as it is written: what is kept is known to be whole.
    return checkBackup(chunks);
  }).finally(() => progress.end());
  const lines = [...describeBackup(info), `${bytes} bytes, SHA-256 ${checksum}`];
  if (path === '-') output.note(lines.join('\n'));
  else output.result({ file: path, bytes, checksum, ...info }, lines.join('\n'));
  return 0;
};

/** What a person reads of a backup before and after. */
export function describeBackup(info: BackupInfo): readonly string[] {
  const { namespace, clusterId, generation, revision, index, keys, takenAt, takenFrom } = info;
  return [
    `Backup of ${namespace}: ${keys} keys at revision ${revision}, index ${index}`,
    `Cluster ${clusterId} of generation ${generation}`,
    `Taken ${takenAt} from ${takenFrom}`,
    ...info.marks.map((mark) => `Note: ${mark}`),
  ];
}

async function sourceOf(flags: Flags): Promise<AsyncIterable<Uint8Array>> {
  const dataDir = flags.text('data');
  const namespace = flags.text('namespace');
  const archive = flags.text('archive');
  const hasGateway = flags.list('gateway').length > 0;
  if (dataDir !== undefined && hasGateway) {
    throw new UsageError('Wanted --gateway or --data, not both');
  }
  if (dataDir === undefined) {
    if (archive !== undefined || namespace !== undefined) {
      throw new UsageError('--namespace and --archive are for --data');
    }
    return gatewayStream(flags, '/v1/backup');
  }
  return backupOfStopped({
    dataDir,
    ...(namespace === undefined ? {} : { namespace }),
    ...(archive === undefined ? {} : { archive }),
  });
}
