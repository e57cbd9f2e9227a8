import { test } from 'vitest';
import { registerConformance } from '../conformance/register.ts';
import { MemoryRegisters } from './memory-register.ts';

registerConformance({
  test,
  create: async () => {
    const registers = new MemoryRegisters('memory');
    return {
      register: async (namespace, secret) =>
        registers.register({ topic: `${namespace}/${secret}`, nameTag: namespace }),
      restart: async () => {},
      cleanup: async () => {},
    };
  },
});
