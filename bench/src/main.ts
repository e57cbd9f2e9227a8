/**
 * `pnpm bench [core] [testing] [writes] [etcd] [times] [tabs] [network] [backup] [bounds] [signing] [relay]`: medians and
 * ratios, everything by default. `writes`, `etcd`, `times`, `backup`, `bounds` and `relay` start real processes from the build, `tabs`
 * real browsers, `network` both. Only ratios travel between machines.
 */
import { cpus } from 'node:os';
import { benchBackup } from './backup.ts';
import { benchBounds } from './bounds.ts';
import { benchCore } from './core.ts';
import { benchEtcd } from './etcd.ts';
import { benchNetwork } from './network.ts';
import { benchRelay } from './relay.ts';
import { benchSigning } from './signing.ts';
import { benchTabs } from './tabs.ts';
import { benchTesting } from './testing.ts';
import { benchTimes } from './times.ts';
import { benchWrites } from './writes.ts';

const parts = {
  core: benchCore,
  testing: benchTesting,
  writes: benchWrites,
  etcd: benchEtcd,
  times: benchTimes,
  tabs: benchTabs,
  network: benchNetwork,
  backup: benchBackup,
  bounds: benchBounds,
  signing: benchSigning,
  relay: benchRelay,
} as const;

type Part = keyof typeof parts;

const asked = process.argv.slice(2);
for (const name of asked) {
  if (!Object.hasOwn(parts, name)) {
    throw new Error(`Cannot measure ${name}: wanted ${Object.keys(parts).join(', ')}`);
  }
}
console.log(
  `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`,
);
for (const name of asked.length > 0 ? (asked as Part[]) : (Object.keys(parts) as Part[])) {
  await parts[name]();
}
