/**
 * What sealing costs on this machine: `npx tsx --conditions=source packages/crypto/bench/crypto.ts`.
 */
import { randomBytes } from 'node:crypto';
import type { AesGcm } from '@quorate/crypto';
import {
  createCipher,
  deriveSecret,
  generateSecret,
  nobleAes,
  verifyRecord,
} from '@quorate/crypto';
import { nodeAes } from '@quorate/crypto/node';

const ciphers = new Map<AesGcm, ReturnType<typeof createCipher>>();
const random = (count: number): Uint8Array => Uint8Array.from(randomBytes(count));
const secrets = generateSecret(random);

for (const [name, accelerate] of [
  ['noble', nobleAes],
  ['node', nodeAes],
] as const) {
  for (const bytes of [64, 1_024, 16_384, 262_144]) {
    const [initiator, responder] = connect(accelerate);
    const plaintext = random(bytes);
    const count = Math.min(20_000, Math.ceil(20_000_000 / bytes));
    report(`${name} seal ${bytes} B`, count, () => initiator.seal('raft', plaintext));
    const frames = Array.from({ length: count * 2 }, () => responder.seal('raft', plaintext));
    let at = 0;
    report(`${name} open ${bytes} B`, count, () => initiator.open('raft', frames[at++]!));
  }
}

const cipher = createCipher({ namespace: 'bench', secrets, random });
const record = cipher.sealRecord('register', 1, random(1_024));
report('createCipher', 100, () => createCipher({ namespace: 'bench', secrets, random }));
report('handshake, both sides', 200, () => connect(nodeAes));
report('sealRecord 1 KiB', 200, () => cipher.sealRecord('register', 1, random(1_024)));
report('openRecord 1 KiB', 200, () => cipher.openRecord('register', 1, record));
report('verifyRecord 1 KiB', 200, () => verifyRecord(cipher.topic, 'register', 1, record));

const start = performance.now();
await deriveSecret('sixteen characters at least', 'bench');
console.log(`deriveSecret ${(performance.now() - start).toFixed(0)} ms`);

function connect(accelerate: AesGcm) {
  const side = () => createCipherOnce(accelerate);
  const initiator = side().handshake({ initiator: true, local: 'a', remote: 'b' });
  const responder = side().handshake({ initiator: false, local: 'b', remote: 'a' });
  responder.receive(initiator.first());
  const { reply } = initiator.receive(responder.first());
  const accepted = responder.receive(reply!);
  const confirmed = initiator.receive(accepted.reply!);
  return [confirmed.done!, accepted.done!] as const;
}

function createCipherOnce(accelerate: AesGcm) {
  const known = ciphers.get(accelerate);
  if (known !== undefined) return known;
  const made = createCipher({ namespace: 'bench', secrets, random, accelerate });
  ciphers.set(accelerate, made);
  return made;
}

function report(name: string, count: number, run: () => unknown): void {
  for (let warm = 0; warm < count; warm++) run();
  const start = performance.now();
  for (let each = 0; each < count; each++) run();
  const micros = ((performance.now() - start) * 1_000) / count;
  console.log(`${name.padEnd(24)} ${micros.toFixed(1)} µs`);
}
