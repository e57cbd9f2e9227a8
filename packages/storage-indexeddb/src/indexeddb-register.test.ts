import { registerConformance } from '@quorate/contracts/conformance';
import { test } from 'vitest';
import { FakeMedium } from '../test/fake-medium.ts';
import { turnLocks } from '../test/memory-locks.ts';
import { IndexedDbRegister } from './indexeddb-register.ts';

registerConformance({
  test,
  create: async () => {
    const medium = new FakeMedium();
    const locks = turnLocks();
    return {
      register: async (namespace, topic) =>
        new IndexedDbRegister({ namespace, topic, locks, indexedDB: medium.options().indexedDB! }),
      // The browser's database process, that is: tabs outlive it.
      restart: async () => medium.views.forEach((view) => view.disconnect()),
      cleanup: async () => {},
    };
  },
});
