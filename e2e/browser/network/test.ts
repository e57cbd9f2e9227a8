/** Tests with a relay, room for Node members, and a browser. */
import type { TestType } from '@playwright/test';
import { namespaceOf, profileTest, useWorld } from '../cluster/test.ts';
import type { ProfileFixtures, WorkerFixtures } from '../cluster/test.ts';
import { NetworkWorld } from './world.ts';

type NetworkFixtures = {
  readonly world: NetworkWorld;
  /** The test cuts browsers off from processes. */
  readonly gated: boolean;
};

export const test: TestType<ProfileFixtures & NetworkFixtures, WorkerFixtures> =
  profileTest.extend<NetworkFixtures>({
    gated: [false, { option: true }],
    world: async ({ profile, site, gated }, use, info) => {
      // Many waits in a row, each of which may be long on a busy machine.
      info.setTimeout(180_000);
      const namespace = namespaceOf(info);
      await useWorld(await NetworkWorld.open({ profile, site, namespace, gated }), use, info);
    },
  });
