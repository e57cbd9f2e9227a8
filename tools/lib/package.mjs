// The package as it is published: what `pnpm pack` makes of packages/quorate, without what is of use
// in this workspace alone.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { binPath, run } from './run.mjs';
import { root } from './workspace.mjs';

/** Of the manifest: names of parts that nobody else can install, and what runs here. */
const ours = ['devDependencies', 'scripts', 'publishConfig'];

/** Leaves the package unpacked in `package/` and as a tarball; resolves with that one's path. */
export async function packInto(directory) {
  const { code, output } = await run(
    process.execPath,
    [binPath('pnpm', 'pnpm'), 'pack', '--pack-destination', directory],
    { cwd: `${root}/packages/quorate`, quiet: true },
  );
  if (code !== 0) throw new Error(`Cannot pack:\n${output}`);
  const [tarball] = readdirSync(directory).filter((file) => file.endsWith('.tgz'));
  execFileSync('tar', ['-xzf', tarball], { cwd: directory });
  const file = `${directory}/package/package.json`;
  const manifest = JSON.parse(readFileSync(file, 'utf8'));
  for (const name of ours) delete manifest[name];
  writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
  execFileSync('tar', ['-czf', tarball, 'package'], { cwd: directory });
  return `${directory}/${tarball}`;
}
