import { describe, expect, test } from 'vitest';
import { cipherConformance } from '../conformance/cipher.ts';
import { createPlainCipher, verifyPlainRecord } from './plain-cipher.ts';

describe('plain cipher', () => {
  cipherConformance({
    test,
    create: (options) => createPlainCipher(options),
    verify: verifyPlainRecord,
    ordered: false,
    authentic: false,
  });

  test('strict: false passes frames through as they are', () => {
    const cipher = createPlainCipher({ namespace: 'alpha' });
    expect(cipher.overheadBytes).toBe(0);
    const hosts = { initiator: true, local: 'a', remote: 'b' };
    const initiator = cipher.handshake(hosts);
    const responder = cipher.handshake({ ...hosts, initiator: false });
    responder.receive(initiator.first());
    const { reply } = initiator.receive(responder.first());
    const link = responder.receive(reply!).done!;
    expect(link.seal('raft', Uint8Array.of(1, 2))).toEqual(Uint8Array.of(1, 2));
    expect(link.open('raft', Uint8Array.of(9))).toEqual(Uint8Array.of(9));
  });
});

describe('plain cipher with strict counters', () => {
  cipherConformance({
    test,
    create: (options) => createPlainCipher({ ...options, strict: true }),
    verify: verifyPlainRecord,
    ordered: true,
    authentic: false,
  });
});
