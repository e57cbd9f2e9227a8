import { test } from 'vitest';
import { rendezvousConformance } from '../conformance/rendezvous.ts';
import { MemoryMeetingPoint } from './memory-rendezvous.ts';

rendezvousConformance({
  test,
  create: async () => {
    const meetingPoint = new MemoryMeetingPoint();
    let count = 0;
    return {
      join: async (namespace) => ({
        host: `host-${(count += 1)}`,
        rendezvous: meetingPoint.rendezvous(namespace),
      }),
      cleanup: async () => {},
    };
  },
});
