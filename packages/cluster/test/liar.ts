/**
 * A host that has the secret and lies: it says of itself what it likes, and sends the messages that a
 * test hands it over real links.
 */
import { ByteWriter } from '@quorate/contracts';
import { encodeMessage } from '@quorate/core';
import type { InstallSnapshot, Message, NodeId } from '@quorate/core';
import type { RunFacts } from '../src/links/hello.ts';
import { Host } from '../src/links/host.ts';
import type { HostedReplica } from '../src/links/hosted-replica.ts';
import type { Member } from '../src/member/member.ts';
import { seededBytes } from './manual-clock.ts';
import type { World } from './world.ts';

export class Liar implements HostedReplica {
  readonly nodeId: NodeId;
  readonly heard: Message[] = [];
  readonly #host: Host;
  readonly #facts: RunFacts;
  #streamId = 1_000;

  /** Says that it is a run of the cluster that `member` belongs to. */
  constructor(world: World, member: Member, facts: Partial<RunFacts> = {}) {
    const { clusterId, generation } = member.status;
    this.#facts = {
      nodeId: '99'.repeat(16),
      epoch: 1,
      nonce: 'ab'.repeat(8),
      past: [],
      givenUp: [],
      clusterId,
      generation,
      label: 'liar',
      durable: true,
      opening: { term: 0, votedFor: null, lastIndex: 0 },
      proof: null,
      ...facts,
    };
    this.nodeId = this.#facts.nodeId;
    const cipher = world.cipher();
    this.#host = new Host({
      transport: world.network.transport('liar'),
      cipher,
      clock: world.clock,
      random: seededBytes(99),
      rendezvous: world.meetingPoint.rendezvous(cipher.topic),
      onRefused: () => undefined,
      onBroken: () => undefined,
      onChange: () => undefined,
    });
    this.#host.add(this);
  }

  /** Resolves once all of `members` are linked. */
  async meet(world: World, members: readonly Member[]): Promise<void> {
    void this.#host.start();
    await world.until(() => members.every((member) => this.isLinked(member)));
  }

  isLinked(member: Member): boolean {
    return member.status.nodeId !== null && this.#host.isLinked(member.status.nodeId);
  }

  returns(): null {
    return null;
  }

  cluster(): null {
    return null;
  }

  say(message: Message): void {
    this.#host.post([message]);
    this.#host.flush();
  }

  /** A whole snapshot, as a leader streams it. */
  stream(message: InstallSnapshot, bytes: Uint8Array): void {
    const id = this.#streamId++;
    const piece = new ByteWriter().u8(1).varint(id).varint(0).raw(bytes).finish();
    let checksum = 0x811c9dc5;
    for (const byte of bytes) checksum = Math.imul(checksum ^ byte, 0x01000193) >>> 0;
    const end = new ByteWriter().u8(2).varint(id).varint(bytes.length).varint(checksum);
    this.#host.sendBulk(this.nodeId, message.to, piece);
    this.#host.sendBulk(this.nodeId, message.to, end.raw(encodeMessage(message)).finish());
  }

  close(): Promise<void> {
    return this.#host.close();
  }

  /** Whatever it said before, it says that it has more. */
  present(): RunFacts['opening'] {
    return { term: Number.MAX_SAFE_INTEGER, votedFor: null, lastIndex: Number.MAX_SAFE_INTEGER };
  }

  reverted(): void {
    // It goes on.
  }

  facts(): RunFacts {
    return this.#facts;
  }

  leader(): NodeId | null {
    return null;
  }

  receive(message: Message): void {
    this.heard.push(message);
  }

  receiveBulk(): void {
    // Whatever is answered to its bulk.
  }

  linked(): void {
    // It waits for nobody.
  }

  unlinked(): void {
    // Nor does it miss anybody.
  }

  knowsVoter(): boolean {
    return false;
  }

  isIncumbent(): boolean {
    return false;
  }

  forkSeen(): void {
    // Nor what is said of others.
  }

  disowned(): void {
    // It knows no shame either.
  }

  answer(): Promise<Uint8Array> {
    return Promise.reject(new RangeError('It answers nothing'));
  }
}
