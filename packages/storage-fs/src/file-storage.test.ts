import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logStorageConformance } from '@quorate/contracts/conformance';
import { test } from 'vitest';
import { FileStorage } from './file-storage.ts';

for (const segmentBytes of [1024, undefined]) {
  logStorageConformance({
    test: (name, run) => test(`${name}, segments of ${segmentBytes ?? 'default'} bytes`, run),
    crashes: false,
    create: async () => {
      const directory = await mkdtemp(join(tmpdir(), 'quorate-storage-'));
      const options = segmentBytes === undefined ? {} : { segmentBytes };
      return {
        storage: () => new FileStorage({ directory: join(directory, 'data'), ...options }),
        cleanup: () => rm(directory, { recursive: true }),
      };
    },
  });
}
