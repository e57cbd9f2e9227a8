import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

type Printed = { digest: string; keys: string[]; locale: string };

const root = fileURLToPath(new URL('../../..', import.meta.url));
const program = fileURLToPath(new URL('digest-program.ts', import.meta.url));

async function run(locale: string, timeZone: string): Promise<Printed> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=source', '--import', 'tsx', program],
    { cwd: root, env: { ...process.env, LC_ALL: locale, TZ: timeZone } },
  );
  return JSON.parse(stdout) as Printed;
}

it('K7 digest() is equal on members of another locale and time zone', async () => {
  const one = await run('en_US.UTF-8', 'UTC');
  const other = await run('tr_TR.UTF-8', 'Asia/Tokyo');
  expect(other.locale).not.toBe(one.locale);
  expect(other.digest).toBe(one.digest);
  expect(other.keys).toEqual(one.keys);
});
