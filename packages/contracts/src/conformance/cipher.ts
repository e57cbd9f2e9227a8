import type {
  Cipher,
  Handshake,
  HandshakeStep,
  LinkCipher,
  RecordPurpose,
  VerifyRecord,
} from '../cipher.ts';
import type { RegisterTest } from '../conformance-runner.ts';
import type { Channel } from '../transport.ts';
import { isQuorateError } from '../errors.ts';

export type CipherConformanceOptions = {
  readonly test: RegisterTest;
  /** Makes a cipher with a ring of secrets, primary first; equal names stand for equal secrets. */
  readonly create: (options: { namespace: string; secrets: readonly string[] }) => Cipher;
  /** Checks the records that `create`'s ciphers seal. */
  readonly verify: VerifyRecord;
  /** Frames open once, in order, without gaps. */
  readonly ordered: boolean;
  /** Nothing that was changed, or made by somebody without the secret, opens. */
  readonly authentic: boolean;
};

/** What every `Cipher` promises, and what a real one promises beyond (Z32–Z34). */
export function cipherConformance(options: CipherConformanceOptions): void {
  names(options);
  handshakes(options);
  links(options);
  if (options.ordered) orderedLinks(options);
  if (options.authentic) authenticLinks(options);
  records(options);
  if (options.authentic) authenticRecords(options);
}

function names({ test, create }: CipherConformanceOptions): void {
  test('topic follows from namespace and primary secret alone (Z32)', async () => {
    const { topic } = create({ namespace: 'alpha', secrets: ['one'] });
    check(/^[0-9a-f]{64}$/.test(topic), 'a topic is 64 lowercase hex digits');
    const other = (namespace: string, ...secrets: string[]) => create({ namespace, secrets }).topic;
    check(other('alpha', 'one') === topic, 'same namespace and secret, same topic');
    check(other('alpha', 'one', 'two') === topic, 'older secrets leave the topic');
    check(other('alpha', 'two') !== topic, 'another secret, another topic');
    check(other('beta', 'one') !== topic, 'another namespace, another topic');
  });

  test('nameTag follows from the namespace alone', async () => {
    const { nameTag } = create({ namespace: 'alpha', secrets: ['one'] });
    check(/^[0-9a-f]{32}$/.test(nameTag), 'a name tag is 32 lowercase hex digits');
    const other = create({ namespace: 'alpha', secrets: ['two'] });
    check(other.nameTag === nameTag, 'another secret, the same name tag');
    const beta = create({ namespace: 'beta', secrets: ['one'] });
    check(beta.nameTag !== nameTag, 'another namespace, another name tag');
  });
}

function handshakes({ test, create }: CipherConformanceOptions): void {
  test('handshake() ends on both sides where the secret is shared', async () => {
    const [initiator, responder] = connect(create, ['one'], ['one']);
    for (const channel of channels) {
      checkCarries(initiator, responder, channel);
      checkCarries(responder, initiator, channel);
    }
  });

  test('handshake() lets the initiator prove first (Z34)', async () => {
    const [initiator, responder] = pair(create, ['one'], ['one']);
    const afterHello = responder.receive(initiator.first());
    check(afterHello.reply === null, 'a responder says nothing but hello before it saw a proof');
    check(afterHello.done === null, 'hellos prove nothing');
    const proving = initiator.receive(responder.first());
    check(proving.reply !== null && proving.done === null, 'the initiator proves, and waits');
  });

  test('handshake() opens with any secret of both rings (rotation)', async () => {
    const rings: readonly (readonly [readonly string[], readonly string[]])[] = [
      [['new', 'old'], ['old']],
      [['old'], ['new', 'old']],
      [
        ['new', 'old'],
        ['old', 'new'],
      ],
      [
        ['a', 'b', 'c'],
        ['x', 'y', 'c'],
      ],
    ];
    for (const [first, second] of rings) {
      const [initiator, responder] = connect(create, first, second);
      checkCarries(initiator, responder, 'raft');
      checkCarries(responder, initiator, 'raft');
    }
  });

  test('receive() throws BAD_SECRET on both sides where no secret is shared', async () => {
    const [initiator, responder] = pair(create, ['one', 'two'], ['three', 'four']);
    responder.receive(initiator.first());
    const proofs = reply(initiator.receive(responder.first()));
    const refused = refusal(() => responder.receive(proofs), 'BAD_SECRET');
    check(refused instanceof Uint8Array, 'the responder has a frame that tells the initiator');
    refusal(() => initiator.receive(refused), 'BAD_SECRET');
  });

  test('receive() of a handshake that failed fails for ever, whatever comes (Z34)', async () => {
    const [stranger, responder] = pair(create, ['wrong'], ['one']);
    responder.receive(stranger.first());
    const proofs = reply(stranger.receive(responder.first()));
    refusal(() => responder.receive(proofs), 'BAD_SECRET');
    refusal(() => responder.receive(proofs), 'BAD_SECRET');
    const [friend] = pair(create, ['one'], ['one']);
    refusal(() => responder.receive(friend.first()), 'BAD_SECRET');
    refusal(() => responder.receive(reply(friend.receive(responder.first()))), 'BAD_SECRET');
  });

  test('receive() refuses a host of another namespace', async () => {
    const initiator = handshakeOf(create({ namespace: 'alpha', secrets: ['one'] }), true);
    const responder = handshakeOf(create({ namespace: 'beta', secrets: ['one'] }), false);
    refusal(() => responder.receive(initiator.first()), 'BAD_REQUEST');
    refusal(() => initiator.receive(responder.first()), 'BAD_REQUEST');
  });

  test('receive() throws BAD_REQUEST for what is no frame of a handshake', async () => {
    const junk = [
      new Uint8Array(0),
      Uint8Array.of(0),
      Uint8Array.of(1),
      Uint8Array.of(2, 255, 1),
      new Uint8Array(85).fill(255),
      new Uint8Array(100_000).fill(1),
    ];
    for (const frame of junk) {
      for (const side of pair(create, ['one'], ['one'])) {
        refusal(() => side.receive(frame), 'BAD_REQUEST');
      }
    }
  });

  test('receive() throws BAD_REQUEST for every truncated frame and for a second hello', async () => {
    const hello = pair(create, ['one'], ['one'])[0].first();
    for (let bytes = 0; bytes < hello.length; bytes += 7) {
      const responder = pair(create, ['one'], ['one'])[1];
      refusal(() => responder.receive(hello.subarray(0, bytes)), 'BAD_REQUEST');
    }
    const [initiator, responder] = pair(create, ['one'], ['one']);
    responder.receive(initiator.first());
    refusal(() => responder.receive(initiator.first()), 'BAD_REQUEST');
  });
}

function links({ test, create }: CipherConformanceOptions): void {
  test('seal() adds overheadBytes and leaves the buffer to its caller', async () => {
    const [initiator, responder] = connect(create, ['one'], ['one']);
    const { overheadBytes } = create({ namespace: 'alpha', secrets: ['one'] });
    for (const bytes of [0, 1, 15, 16, 17, 1_000, 70_000]) {
      const plaintext = pattern(bytes);
      const frame = initiator.seal('bulk', plaintext);
      check(frame.length === bytes + overheadBytes, 'a frame has the announced length');
      plaintext.fill(7);
      checkBytes(responder.open('bulk', frame), pattern(bytes));
    }
  });

  test('channels and directions are counted apart', async () => {
    const [initiator, responder] = connect(create, ['one'], ['one']);
    const raft = initiator.seal('raft', pattern(3));
    const rpc = initiator.seal('rpc', pattern(4));
    const back = responder.seal('raft', pattern(5));
    checkBytes(responder.open('rpc', rpc), pattern(4));
    checkBytes(initiator.open('raft', back), pattern(5));
    checkBytes(responder.open('raft', raft), pattern(3));
  });
}

function orderedLinks({ test, create }: CipherConformanceOptions): void {
  test('open() refuses a replayed frame (Z33)', async () => {
    const [initiator, responder] = connect(create, ['one'], ['one']);
    const frame = initiator.seal('raft', pattern(9));
    responder.open('raft', frame.slice());
    refusal(() => responder.open('raft', frame), 'BAD_SECRET');
  });

  test('open() refuses frames out of order, and one after a gap (Z33)', async () => {
    const [initiator, responder] = connect(create, ['one'], ['one']);
    const first = initiator.seal('raft', pattern(1));
    const second = initiator.seal('raft', pattern(2));
    refusal(() => responder.open('raft', second), 'BAD_SECRET');
    refusal(() => responder.open('raft', first), 'BAD_SECRET');
    initiator.open('rpc', responder.seal('rpc', pattern(1)));
  });
}

function authenticLinks({ test, create }: CipherConformanceOptions): void {
  test('open() refuses a frame reflected to its sender (Z33)', async () => {
    const [initiator, responder] = connect(create, ['one'], ['one']);
    for (const side of [initiator, responder]) {
      const frame = side.seal('raft', pattern(9));
      refusal(() => side.open('raft', frame), 'BAD_SECRET');
    }
  });

  test('open() refuses a frame of another channel (Z33)', async () => {
    for (const from of channels) {
      for (const to of channels) {
        if (from === to) continue;
        const [initiator, responder] = connect(create, ['one'], ['one']);
        const frame = initiator.seal(from, pattern(9));
        refusal(() => responder.open(to, frame), 'BAD_SECRET');
      }
    }
  });

  test('open() refuses a frame of another link, secret or namespace (Z33)', async () => {
    const foreign = [
      connect(create, ['one'], ['one']),
      connect(create, ['two'], ['two']),
      connect(create, ['one'], ['one'], 'beta'),
    ];
    for (const [sender] of foreign) {
      const [, responder] = connect(create, ['one'], ['one']);
      const frame = sender.seal('raft', pattern(9));
      refusal(() => responder.open('raft', frame), 'BAD_SECRET');
    }
  });

  test('open() refuses a frame with any byte changed, cut or added', async () => {
    const { overheadBytes } = create({ namespace: 'alpha', secrets: ['one'] });
    const bytes = 5 + overheadBytes;
    for (let at = 0; at <= bytes; at++) {
      const [initiator, responder] = connect(create, ['one'], ['one']);
      const frame = initiator.seal('raft', pattern(5));
      const changed = at === bytes ? Uint8Array.of(...frame, 0) : frame.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      refusal(() => responder.open('raft', changed), 'BAD_SECRET');
    }
    for (let length = 0; length < bytes; length++) {
      const [initiator, responder] = connect(create, ['one'], ['one']);
      const frame = initiator.seal('raft', pattern(5));
      refusal(() => responder.open('raft', frame.subarray(0, length)), 'BAD_SECRET');
    }
  });

  test('open() of a channel on which a frame failed opens nothing more', async () => {
    for (const junkBytes of [0, 1, 40, 2_000]) {
      const [initiator, responder] = connect(create, ['one'], ['one']);
      refusal(() => responder.open('raft', new Uint8Array(junkBytes)), 'BAD_SECRET');
      // Neither the frame whose place the junk took, nor the one after it.
      for (let count = 0; count < 3; count++) {
        const frame = initiator.seal('raft', pattern(9));
        refusal(() => responder.open('raft', frame), 'BAD_SECRET');
      }
      checkCarries(initiator, responder, 'rpc');
    }
  });

  test('seal() never gives the same bytes twice, on one link or on two', async () => {
    const seen = new Set<string>();
    let frames = 0;
    for (let link = 0; link < 3; link++) {
      for (const side of connect(create, ['one'], ['one'])) {
        for (const channel of channels) {
          for (let count = 0; count < 3; count++) {
            seen.add(side.seal(channel, pattern(32)).join());
            frames++;
          }
        }
      }
    }
    check(seen.size === frames, 'equal plaintexts make different frames');
  });

  test('receive() refuses proofs replayed from another handshake (Z34)', async () => {
    const [recorded, first] = pair(create, ['one'], ['one']);
    const hello = recorded.first();
    const proofs = reply(recorded.receive(first.first()));
    check(first.receive(hello).done === null, 'the recorded handshake goes on');
    check(first.receive(proofs).done !== null, 'the recorded handshake is good');
    const second = pair(create, ['one'], ['one'])[1];
    second.receive(hello);
    refusal(() => second.receive(proofs), 'BAD_SECRET');
  });

  test('receive() refuses proofs made for another pair of hosts (Z34)', async () => {
    const cipher = create({ namespace: 'alpha', secrets: ['one'] });
    const initiator = cipher.handshake({ initiator: true, local: 'a', remote: 'thief' });
    const responder = cipher.handshake({ initiator: false, local: 'b', remote: 'a' });
    responder.receive(initiator.first());
    const proofs = reply(initiator.receive(responder.first()));
    refusal(() => responder.receive(proofs), 'BAD_SECRET');
  });

  test('receive() refuses a handshake whose hello was changed on its way', async () => {
    const { length } = pair(create, ['one'], ['one'])[0].first();
    for (let at = 1; at < length; at++) {
      const [initiator, responder] = pair(create, ['one'], ['one']);
      const hello = initiator.first();
      hello[at] = (hello[at] ?? 0) ^ 128;
      const proofs = reply(initiator.receive(responder.first()));
      refusal(() => {
        responder.receive(hello);
        responder.receive(proofs);
      }, 'BAD_SECRET or BAD_REQUEST');
    }
  });

  test('receive() refuses a wrong proof of the responder and its own proof sent back', async () => {
    const run = (forge: (proofs: Uint8Array, proof: Uint8Array) => Uint8Array) => {
      const [initiator, responder] = pair(create, ['one'], ['one']);
      responder.receive(initiator.first());
      const proofs = reply(initiator.receive(responder.first()));
      const proof = reply(responder.receive(proofs));
      refusal(() => initiator.receive(forge(proofs, proof)), 'BAD_SECRET or BAD_REQUEST');
    };
    run((proofs) => proofs);
    run((proofs, proof) => Uint8Array.of(...proof.subarray(0, 2), ...proofs.subarray(2)));
    run((_, proof) => proof.map((byte, at) => (at === proof.length - 1 ? byte ^ 1 : byte)));
    run((_, proof) => proof.map((byte, at) => (at === 1 ? 7 : byte)));
  });
}

function records({ test, create, verify }: CipherConformanceOptions): void {
  test('openRecord() opens what a holder of any secret of the ring sealed', async () => {
    const old = create({ namespace: 'alpha', secrets: ['old'] });
    const both = create({ namespace: 'alpha', secrets: ['new', 'old'] });
    for (const bytes of [0, 1, 300, 16_384]) {
      for (const purpose of purposes) {
        checkBytes(
          both.openRecord(purpose, 3, old.sealRecord(purpose, 3, pattern(bytes))),
          pattern(bytes),
        );
        checkBytes(
          both.openRecord(purpose, 3, both.sealRecord(purpose, 3, pattern(bytes))),
          pattern(bytes),
        );
      }
    }
    const record = both.sealRecord('register', 3, pattern(5));
    refusal(() => old.openRecord('register', 3, record), 'BAD_SECRET');
  });

  test('openRecord() and verify() bind purpose, version and namespace', async () => {
    const cipher = create({ namespace: 'alpha', secrets: ['one'] });
    const beta = create({ namespace: 'beta', secrets: ['one'] });
    const versions = [0, 1, 2, 2 ** 32, Number.MAX_SAFE_INTEGER];
    for (const version of versions) {
      const record = cipher.sealRecord('register', version, pattern(20));
      check(verify(cipher.topic, 'register', version, record), 'a good record verifies');
      check(!verify(cipher.topic, 'announce', version, record), 'purpose is bound');
      check(!verify(beta.topic, 'register', version, record), 'topic is bound');
      refusal(() => cipher.openRecord('announce', version, record), 'BAD_SECRET');
      refusal(() => beta.openRecord('register', version, record), 'BAD_SECRET');
      for (const other of versions) {
        if (other === version) continue;
        check(!verify(cipher.topic, 'register', other, record), 'version is bound');
        refusal(() => cipher.openRecord('register', other, record), 'BAD_SECRET');
      }
    }
  });

  test('verify() is false and openRecord() BAD_SECRET for what is no record', async () => {
    const cipher = create({ namespace: 'alpha', secrets: ['one'] });
    for (const junk of [new Uint8Array(0), Uint8Array.of(1), new Uint8Array(200).fill(1)]) {
      check(!verify(cipher.topic, 'register', 1, junk), 'junk does not verify');
      refusal(() => cipher.openRecord('register', 1, junk), 'BAD_SECRET');
    }
    const record = cipher.sealRecord('register', 1, pattern(20));
    for (const topic of ['', 'x', 'z'.repeat(64), '0'.repeat(64), cipher.topic.toUpperCase()]) {
      check(!verify(topic, 'register', 1, record), 'another topic does not verify');
    }
    for (const version of [-1, 1.5, NaN, 2 ** 60]) {
      check(!verify(cipher.topic, 'register', version, record), 'no version does not verify');
      refusal(() => cipher.openRecord('register', version, record), 'BAD_SECRET');
    }
  });
}

function authenticRecords({ test, create, verify }: CipherConformanceOptions): void {
  test('verify() and openRecord() refuse a record with any byte changed or cut (Z32)', async () => {
    const cipher = create({ namespace: 'alpha', secrets: ['one'] });
    const record = cipher.sealRecord('register', 1, pattern(3));
    for (let at = 0; at < record.length; at++) {
      const changed = record.map((byte, index) => (index === at ? byte ^ 1 : byte));
      check(!verify(cipher.topic, 'register', 1, changed), `byte ${at} is signed`);
      refusal(() => cipher.openRecord('register', 1, changed), 'BAD_SECRET');
    }
    for (const cut of [record.subarray(1), record.subarray(0, -1), Uint8Array.of(...record, 0)]) {
      check(!verify(cipher.topic, 'register', 1, cut), 'the length is signed');
      refusal(() => cipher.openRecord('register', 1, cut), 'BAD_SECRET');
    }
  });

  test('sealRecord() gives fresh bytes that tell nothing of the value (Z32)', async () => {
    const cipher = create({ namespace: 'alpha', secrets: ['one'] });
    const value = new Uint8Array(64).fill(65);
    const first = cipher.sealRecord('announce', 1, value);
    const second = cipher.sealRecord('announce', 1, value);
    check(first.join() !== second.join(), 'two seals of one value differ');
    check(!first.join().includes('65,65,65,65'), 'the value cannot be read');
  });
}

const channels: readonly Channel[] = ['raft', 'bulk', 'rpc'];
const purposes: readonly RecordPurpose[] = ['announce', 'register'];

type Create = CipherConformanceOptions['create'];

/** Two sides of one link that have said nothing yet: [initiator, responder]. */
function pair(
  create: Create,
  initiatorRing: readonly string[],
  responderRing: readonly string[],
  namespace = 'alpha',
): readonly [Handshake, Handshake] {
  return [
    handshakeOf(create({ namespace, secrets: initiatorRing }), true),
    handshakeOf(create({ namespace, secrets: responderRing }), false),
  ];
}

function handshakeOf(cipher: Cipher, initiator: boolean): Handshake {
  return initiator
    ? cipher.handshake({ initiator, local: 'host-a', remote: 'host-b' })
    : cipher.handshake({ initiator, local: 'host-b', remote: 'host-a' });
}

/** Runs a whole handshake: [initiator's link, responder's link]. */
function connect(
  create: Create,
  initiatorRing: readonly string[],
  responderRing: readonly string[],
  namespace = 'alpha',
): readonly [LinkCipher, LinkCipher] {
  const [initiator, responder] = pair(create, initiatorRing, responderRing, namespace);
  check(responder.receive(initiator.first()).done === null, 'hellos prove nothing');
  const proofs = reply(initiator.receive(responder.first()));
  const accepted = responder.receive(proofs);
  check(accepted.done !== null, 'the responder is done once the initiator has proved');
  const confirmed = initiator.receive(reply(accepted));
  check(confirmed.done !== null, 'the initiator is done once the responder has proved');
  check(confirmed.reply === null, 'nothing is left to say');
  return [confirmed.done, accepted.done];
}

function reply(step: HandshakeStep): Uint8Array {
  check(step.reply !== null, 'the handshake has an answer');
  return step.reply;
}

function checkCarries(from: LinkCipher, to: LinkCipher, channel: Channel): void {
  for (const bytes of [1, 100, 2_000]) {
    checkBytes(to.open(channel, from.seal(channel, pattern(bytes))), pattern(bytes));
  }
}

/** Runs what must be refused with one of the codes named; gives `details.reply` of the error. */
function refusal(run: () => unknown, codes: string): unknown {
  try {
    run();
  } catch (error) {
    if (isQuorateError(error) && codes.split(' or ').includes(error.code)) {
      return error.details['reply'];
    }
    throw error;
  }
  throw new Error(`Nothing was refused, wanted ${codes}`);
}

function pattern(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, at) => (at * 31 + bytes) & 255);
}

function checkBytes(actual: Uint8Array, wanted: Uint8Array): void {
  check(actual.length === wanted.length, `${actual.length} bytes, wanted ${wanted.length}`);
  check(
    wanted.every((byte, at) => actual[at] === byte),
    'the bytes are those that were sealed',
  );
}

function check(condition: boolean, wanted: string): asserts condition {
  if (!condition) throw new Error(`Broken: ${wanted}`);
}
