/** `quorate export` */
import type { Run } from '../command.ts';
import { positionals } from '../flags.ts';
import { gatewayStream } from '../gateway-stream.ts';
import { writeFileWhole } from '../output-file.ts';
import { Progress } from '../progress.ts';

export const runExport: Run = async (flags, { output }) => {
  const [path = ''] = positionals(flags, ['FILE'], 1);
  const prefix = flags.text('prefix') ?? '';
  const progress = new Progress('Exported', process.stderr, output.json || path === '-');
  const query = prefix === '' ? '' : `?prefix=${encodeURIComponent(prefix)}`;
  let count = 0;
  await writeFileWhole(path, async (write) => {
    for await (const chunk of await gatewayStream(flags, `/v1/export${query}`)) {
      progress.add(chunk.length);
      for (const byte of chunk) if (byte === newline) count += 1;
      await write(chunk);
    }
  }).finally(() => progress.end());
  if (path !== '-') output.result({ file: path, count }, `Exported ${count} keys`);
  return 0;
};

const newline = 10;
