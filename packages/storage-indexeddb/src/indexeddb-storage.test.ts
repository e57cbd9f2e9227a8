import { logStorageConformance } from '@quorate/contracts/conformance';
import { test } from 'vitest';
import { FakeMedium } from '../test/fake-medium.ts';

logStorageConformance({
  test,
  crashes: true,
  create: async () => {
    const medium = new FakeMedium();
    return {
      storage: () => medium.storage(),
      crash: () => medium.crash(),
      cleanup: async () => {},
    };
  },
});
