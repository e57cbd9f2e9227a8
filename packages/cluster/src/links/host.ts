/**
 * One process or tab in one namespace: its links to other hosts, and the replicas it runs. Routes
 * by NodeId what the replicas say: over the link to the host that runs the receiver, or straight to
 * a replica next door.
 */
import { decodeMessage, encodeMessage } from '@quorate/core';
import type { Message, NodeId } from '@quorate/core';
import { ByteReader, ByteWriter, QuorateError, isQuorateError } from '@quorate/contracts';
import type {
  ActiveCluster,
  Announcement,
  Channel,
  Cipher,
  Clock,
  HostId,
  Link,
  RandomBytes,
  Rendezvous,
  Transport,
} from '@quorate/contracts';
import { Acquaintances } from './acquaintances.ts';
import type { Acquaintance } from './acquaintances.ts';
import { Admission, aliveMethod } from './admission.ts';
import type { Hello, RunFacts } from './hello.ts';
import type { HostedReplica } from './hosted-replica.ts';
import { LinkMemory } from './link-memory.ts';
import type { LinkProof } from './link-memory.ts';
import { Peer } from './peer.ts';
import type { RequestOptions, RpcRequest } from './rpc.ts';
import type { SignedRuns } from './signed-run.ts';
import { Witnesses } from './witnesses.ts';

export type HostOptions = {
  readonly transport: Transport;
  readonly cipher: Cipher;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Where replicas have keys (Z39). Default: they have none, and whatever says so is a run. */
  readonly signedRuns?: SignedRuns | null;
  readonly rendezvous: Rendezvous | null;
  /** Called with what strangers and broken links did, for counters and events. */
  readonly onRefused: (host: HostId, error: QuorateError) => void;
  /** Called for each connection that a stranger broke before it was a link. */
  readonly onBroken: () => void;
  /** Called when links, acquaintances or their facts changed. */
  readonly onChange: () => void;
};

export class Host {
  readonly witnesses: Witnesses = new Witnesses();
  readonly #options: HostOptions;
  readonly #memory: LinkMemory;
  readonly #admission: Admission;
  readonly #replicas = new Map<NodeId, HostedReplica>();
  /** Peers whose runs are heard. */
  readonly #accepted = new Set<Peer>();
  readonly #peers = new Map<HostId, Peer>();
  readonly #byLink = new Map<Link, Peer>();
  /** Where each linked NodeId lives now. */
  readonly #routes = new Map<NodeId, Peer>();
  readonly #acquaintances = new Acquaintances();
  readonly #outbox = new Map<Peer, Message[]>();
  #stopWatching: () => void = () => undefined;
  #cancelLook: () => void = () => undefined;
  readonly #closing = new AbortController();
  #announced = '';
  #announcedToAll: string | null = null;
  #closed = false;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#memory = new LinkMemory(options.random);
    this.#admission = new Admission({
      host: options.transport.host,
      witnesses: this.witnesses,
      memory: this.#memory,
      signedRuns: options.signedRuns ?? null,
      clock: options.clock,
      replicas: () => [...this.#replicas.values()],
      routeTo: (nodeId) => this.#routes.get(nodeId),
      accept: (peer, hello, newRuns) => this.#accept(peer, hello, newRuns),
      refused: options.onRefused,
      news: () => {
        this.announce();
        options.onChange();
      },
    });
  }

  get id(): HostId {
    return this.#options.transport.host;
  }

  /** Replicas are added before `start`, so that the first hello names them. */
  add(replica: HostedReplica): void {
    this.#replicas.set(replica.nodeId, replica);
  }

  /** The replica is gone: links that named its run are closed and made anew (Z1). */
  remove(replica: HostedReplica): void {
    for (const [nodeId, hosted] of this.#replicas) {
      if (hosted === replica) this.#replicas.delete(nodeId);
    }
    for (const peer of [...this.#byLink.values()]) peer.close('run ended');
  }

  async start(signal?: AbortSignal): Promise<void> {
    const { transport, rendezvous } = this.#options;
    await transport.start(
      {
        linkUp: (link) => this.#linkUp(link),
        linkDown: (link, reason) => this.#linkDown(link, reason),
        frame: (link, channel, frame) => this.#byLink.get(link)?.receive(channel, frame),
        drained: (link, channel) => this.#drained(link, channel),
        broken: () => this.#options.onBroken(),
      },
      signal,
    );
    if (rendezvous !== null) {
      this.#stopWatching = rendezvous.watch((announcement) => this.#meet([announcement]));
    }
    this.announce();
    this.#lookForAbsent();
  }

  /** Tells rendezvous and linked hosts what changed here: addresses, runs' clusters, the leader. */
  announce(): void {
    if (this.#closed) return;
    const hello = this.#hello();
    this.#announceToAll(hello);
    // What it has seen of others is said along with the rest, and is no reason to speak.
    const text = JSON.stringify(hello);
    if (text === this.#announced) return;
    this.#announced = text;
    for (const peer of this.#byLink.values()) peer.sendHello();
  }

  /** Signed and sent to every relay: only when there is something new to say. */
  #announceToAll({ host, addresses }: Said): void {
    let cluster: ActiveCluster | null = null;
    for (const replica of this.#replicas.values()) cluster ??= replica.cluster();
    const announcement = { host, addresses, ...(cluster === null ? {} : { cluster }) };
    const text = JSON.stringify(announcement);
    if (text === this.#announcedToAll) return;
    this.#announcedToAll = text;
    this.#options.rendezvous?.announce(announcement);
  }

  /** Wants links to these hosts. */
  meet(announcements: readonly Announcement[]): void {
    this.#meet(announcements);
  }

  /** The hosts known, and what they ran: what is worth remembering across a restart. */
  acquaintances(): Acquaintance[] {
    return this.#acquaintances.all((id) => this.#returns(id));
  }

  /** Those of an earlier run. */
  remember(acquaintances: readonly Acquaintance[]): void {
    this.#meet(acquaintances);
    for (const { host, runs } of acquaintances) this.#acquaintances.runs(host, runs);
  }

  /** A host that somebody configured is wanted for ever. */
  want(announcement: Announcement): void {
    this.#meet([announcement]);
    this.#acquaintances.configured(announcement.host);
  }

  /** Every linked run. */
  linkedRuns(): { facts: RunFacts; peer: Peer }[] {
    const runs: { facts: RunFacts; peer: Peer }[] = [];
    for (const peer of this.#routes.values()) {
      for (const facts of peer.hello?.runs ?? []) {
        if (this.#routes.get(facts.nodeId) === peer && !runs.some((r) => r.facts === facts)) {
          runs.push({ facts, peer });
        }
      }
    }
    return runs;
  }

  /** What a run that is linked or hosted here says of itself; null for any other. */
  factsOf(nodeId: NodeId): RunFacts | null {
    const hosted = this.#replicas.get(nodeId);
    if (hosted !== undefined) return hosted.facts();
    return this.#routes.get(nodeId)?.hello?.runs.find((run) => run.nodeId === nodeId) ?? null;
  }

  linkTo(nodeId: NodeId): Link | null {
    return this.#routes.get(nodeId)?.link ?? null;
  }

  isLinked(nodeId: NodeId): boolean {
    return this.#replicas.has(nodeId) || this.#routes.has(nodeId);
  }

  /** Queues messages; they leave with `flush`, those for one host as one frame. */
  post(messages: readonly Message[]): void {
    for (const message of messages) {
      const neighbour = this.#replicas.get(message.to);
      const sender = this.#replicas.get(message.from);
      if (neighbour !== undefined && sender !== undefined) {
        this.#options.clock.defer(() => {
          if (!this.#closed) neighbour.receive(message, sender.facts());
        });
        continue;
      }
      const peer = this.#routes.get(message.to);
      if (peer === undefined) continue;
      const queue = this.#outbox.get(peer);
      if (queue === undefined) this.#outbox.set(peer, [message]);
      else queue.push(message);
    }
  }

  /** Sends what was queued. What a full link refuses is dropped: Raft sends again. */
  flush(): void {
    for (const [peer, messages] of this.#outbox) {
      const bodies = messages.map(encodeMessage);
      // Two bytes hold most lengths; the writer grows where they do not.
      const writer = new ByteWriter(bodies.reduce((sum, { length }) => sum + length + 2, 8));
      for (const body of bodies) writer.block(body);
      peer.send('raft', writer.finish());
    }
    this.#outbox.clear();
  }

  /** Queues a piece of bulk data; false when the link cannot take it now. */
  sendBulk(from: NodeId, to: NodeId, body: Uint8Array): boolean {
    const frame = new ByteWriter(body.length + 32).hex(from).hex(to).raw(body).finish();
    const neighbour = this.#replicas.get(to);
    if (neighbour !== undefined) {
      this.#options.clock.defer(() => neighbour.receiveBulk(from, body));
      return true;
    }
    const peer = this.#routes.get(to);
    if (peer === undefined || peer.unsentBytes('bulk') > bulkUnsentBytesMax) return false;
    return peer.send('bulk', frame);
  }

  /** Asks a replica, wherever it runs. Errors: as `RpcPeer.request`. */
  request(
    to: NodeId,
    method: string,
    body: Uint8Array,
    options: RequestOptions,
  ): Promise<Uint8Array> {
    const neighbour = this.#replicas.get(to);
    if (neighbour !== undefined) {
      return neighbour.answer({ to, method, body }, options.signal ?? new AbortController().signal);
    }
    const peer = this.#routes.get(to);
    if (peer === undefined) {
      return Promise.reject(new QuorateError('UNREACHABLE', `Cannot reach ${to}: no link`));
    }
    return peer.request({ to, method, body }, options);
  }

  /**
   * Closes the link over which a peer said what it must not say. One that `forgot` lacks what its run
   * acknowledged: that run is heard no more (Z72).
   */
  refuse(nodeId: NodeId, reason: string, forgot: boolean = false): void {
    if (forgot) this.#memory.forgot(nodeId);
    this.#routes.get(nodeId)?.close(reason);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#closing.abort();
    this.#cancelLook();
    this.#stopWatching();
    // Both begin at once: a page that is being left has no later (Z6).
    await Promise.all([this.#options.rendezvous?.close(), this.#options.transport.close()]);
    for (const peer of this.#byLink.values()) peer.down('closed');
  }

  /** What is said on one link, of which this side said `link` first. */
  #helloTo(host: HostId, link: LinkProof): Hello {
    return {
      ...this.#hello(),
      witnesses: this.witnesses.said(),
      present: [...this.#replicas.values()].map((replica) => replica.present()),
      link,
      heard: this.#memory.said(host),
    };
  }

  #hello(): Said {
    let leader: NodeId | null = null;
    const runs: RunFacts[] = [];
    for (const replica of this.#replicas.values()) {
      runs.push(replica.facts());
      leader ??= replica.leader();
    }
    return {
      host: this.id,
      addresses: this.#options.transport.addresses().slice(0, 32),
      runs,
      leader,
      acquaintances: this.#acquaintances.worthTelling((id) => this.#returns(id)).slice(0, 64),
      refused: this.witnesses.refused,
    };
  }

  #meet(announcements: readonly Announcement[]): void {
    let changed = false;
    for (const { host, addresses } of announcements) {
      if (host === this.id || addresses.length === 0) continue;
      if (!this.#acquaintances.learn({ host, addresses }, this.#options.clock.now())) continue;
      this.#options.transport.connect(host, addresses);
      changed = true;
    }
    if (changed) this.#options.onChange();
  }

  #returns(nodeId: NodeId): boolean {
    return [...this.#replicas.values()].some((replica) => replica.returns(nodeId) === true);
  }

  /** Now and then: who has had no link for a while, and is nowhere listed, is dialled no more. */
  #lookForAbsent(): void {
    const { clock } = this.#options;
    this.#cancelLook = clock.setTimeout(() => {
      this.#forgetAbsent()
        .catch((error: unknown) => {
          // A rendezvous that does not answer says nothing about anybody.
          if (!isQuorateError(error)) throw error;
        })
        .finally(() => {
          if (!this.#closed) this.#lookForAbsent();
        });
    }, absentLookMs);
  }

  async #forgetAbsent(): Promise<void> {
    const { clock, rendezvous, transport } = this.#options;
    const absent = (): HostId[] =>
      this.#acquaintances.absent(clock.now(), (id) => this.#returns(id));
    // Who is a member of nothing cannot tell a member from a visitor: only a list can.
    const knows = [...this.#replicas.values()].some((replica) => replica.returns('') !== null);
    if (absent().length === 0 || (rendezvous === null && !knows)) return;
    const listed = rendezvous === null ? [] : await rendezvous.list(this.#closing.signal);
    if (this.#closed) return;
    // Some may have come back meanwhile.
    const gone = absent().filter((host) => !listed.some((one) => one.host === host));
    for (const host of gone) {
      this.#acquaintances.forget(host);
      transport.disconnect(host);
    }
    if (gone.length > 0) this.#options.onChange();
  }

  #linkUp(link: Link): void {
    let proof: LinkProof | null = null;
    const peer = new Peer({
      link,
      localHost: this.id,
      frameBytesMax: this.#options.transport.frameBytesMax,
      cipher: this.#options.cipher,
      clock: this.#options.clock,
      hello: () => this.#helloTo(link.host, (proof ??= this.#memory.begin(link.host))),
      events: {
        ready: (ready) => this.#admission.ready(ready),
        renewed: (renewed) => this.#renewed(renewed),
        frame: (from, channel, body) => this.#frame(from, channel, body),
        request: (from) => (request, signal) => this.#answer(from, request, signal),
        refused: (refused, error) => this.#options.onRefused(refused.link.host, error),
      },
    });
    // The link before it goes once this one is accepted: a copy may have come with its host's key.
    if (this.#peers.get(link.host)?.open !== true) this.#settleOn(peer);
    this.#byLink.set(link, peer);
    this.#options.clock.setTimeout(() => {
      if (!peer.open && this.#byLink.get(link) === peer) peer.close('no hello');
    }, helloTimeoutMs);
  }

  /** One link to each host. */
  #settleOn(peer: Peer): void {
    const former = this.#peers.get(peer.link.host);
    this.#peers.set(peer.link.host, peer);
    if (former !== peer) former?.close('replaced');
  }

  #linkDown(link: Link, reason: string): void {
    const peer = this.#byLink.get(link);
    this.#byLink.delete(link);
    if (peer === undefined) return;
    this.#accepted.delete(peer);
    if (this.#peers.get(link.host) === peer) {
      this.#peers.delete(link.host);
      this.#acquaintances.absentSince(link.host, this.#options.clock.now());
    }
    this.#outbox.delete(peer);
    peer.down(reason);
    for (const [nodeId, route] of [...this.#routes]) {
      if (route !== peer) continue;
      this.#routes.delete(nodeId);
      for (const replica of this.#replicas.values()) replica.unlinked(nodeId);
    }
    this.#options.onChange();
  }

  #drained(link: Link, channel: Channel): void {
    this.#byLink.get(link)?.drained(channel);
  }

  #accept(peer: Peer, hello: Hello, newRuns: ReadonlySet<NodeId>): void {
    this.#settleOn(peer);
    this.#accepted.add(peer);
    for (const facts of hello.runs) {
      this.#routes.set(facts.nodeId, peer);
      const isNew = newRuns.has(facts.nodeId);
      for (const replica of this.#replicas.values()) replica.linked(facts, isNew);
    }
    this.#learn(peer, hello);
  }

  #renewed(peer: Peer): void {
    const { hello } = peer;
    if (hello === null || !this.#accepted.has(peer)) return;
    if (this.#admission.renewed(peer, hello)) this.#learn(peer, hello);
  }

  #learn(peer: Peer, hello: Hello): void {
    const { host } = peer.link;
    this.#meet([{ host, addresses: hello.addresses }, ...hello.acquaintances]);
    this.#acquaintances.absentSince(host, null);
    const runs = hello.runs.map(({ nodeId }) => nodeId);
    this.#acquaintances.runs(host, runs);
    this.#options.onChange();
  }

  #frame(peer: Peer, channel: 'raft' | 'bulk', body: Uint8Array): void {
    const reader = new ByteReader(body);
    if (channel === 'bulk') {
      const from = reader.hex(16);
      const to = reader.hex(16);
      if (this.#routes.get(from) !== peer) return;
      this.#replicas.get(to)?.receiveBulk(from, reader.rest());
      return;
    }
    while (reader.remaining > 0) {
      let message: Message;
      try {
        message = decodeMessage(reader.block());
      } catch (cause) {
        // The only parser of foreign bytes refused: dropped and counted, never passed on.
        this.#options.onRefused(
          peer.link.host,
          new QuorateError('BAD_REQUEST', 'Cannot decode a message', { cause }),
        );
        return;
      }
      // Z1: a link carries only what its own pinned runs say.
      const sender = peer.hello?.runs.find((run) => run.nodeId === message.from);
      if (sender === undefined || this.#routes.get(message.from) !== peer) continue;
      this.#replicas.get(message.to)?.receive(message, sender);
    }
  }

  #answer(from: Peer, request: RpcRequest, signal: AbortSignal): Promise<Uint8Array> {
    const replica =
      request.to === null ? this.#replicas.values().next().value : this.#replicas.get(request.to);
    // Whoever answers this is not over: not a word of a host that is closing may say so.
    const isAsked = request.method === aliveMethod && !this.#closed;
    if (replica !== undefined && isAsked) return Promise.resolve(new Uint8Array());
    if (replica === undefined || !this.#accepted.has(from)) {
      return Promise.reject(
        new QuorateError('UNREACHABLE', `Cannot answer ${request.method}: no such replica here`),
      );
    }
    return replica.answer(request, signal);
  }
}

/** What is said to everybody, and at once when it changes. */
type Said = Omit<Hello, 'witnesses' | 'present' | 'link' | 'heard'>;

/** Bulk data waits here while heartbeats pass: little enough to not delay a shared connection. */
const bulkUnsentBytesMax = 1024 * 1024;
const absentLookMs = 5_000;
const helloTimeoutMs = 5_000;
