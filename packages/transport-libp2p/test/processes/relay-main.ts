/** A relay in a process of its own. */
import { startRelay } from '../../src/relay/index.ts';
import { verifyRecord } from '../test-cipher.ts';

const { directory, listen, init, fresh } = JSON.parse(process.argv[2] ?? '{}') as {
  directory: string;
  listen: string;
  init: boolean;
  fresh: boolean;
};

const relay = await startRelay({ directory, listen: [listen], init, fresh, verify: verifyRecord });
process.send?.({ addresses: relay.addresses(), group: relay.group, lost: relay.lost });
process.on('disconnect', () => process.exit(0));
