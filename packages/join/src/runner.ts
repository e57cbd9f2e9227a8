/** What a handle needs of whatever runs its member: one replica in Node, a page's share in a tab. */
import type { CallOptions, Consensus } from '@quorate/contracts';
import type { Captured, ClusterStatus } from '@quorate/cluster';
import type { RegisterView, RestoredRegister } from '@quorate/cluster/register';
import type { KvStateMachine } from '@quorate/kv';
import type { JoinOptions } from './options.ts';

export type Runner = Consensus & {
  readonly status: ClusterStatus;
  /** Calls back after each change of the status, at most once per turn. */
  subscribe(listener: () => void): () => void;
  /** Sets out; trouble shows in the status. */
  start(): Promise<void>;
  ready(signal?: AbortSignal): Promise<void>;
  /** One consistent state: `take` reads the state machine in one step with what the cluster is. */
  capture<T>(take: () => T, options: CallOptions): Promise<Captured<T>>;
  leave(options: { readonly nodeId?: string; readonly signal?: AbortSignal }): Promise<void>;
  /** See `Cluster`. */
  showRegister(signal?: AbortSignal): Promise<RegisterView>;
  restoreRegister(signal?: AbortSignal): Promise<RestoredRegister>;
  close(): Promise<void>;
};

export type Assembled = {
  readonly runner: Runner;
  /** This process on the network; null before it is up, and where it has no such name. */
  peerId(): string | null;
  addresses(): readonly string[];
};

/** Makes what runs one namespace; nothing is opened before it is started. */
export type Assemble = (
  options: JoinOptions & { readonly label: string },
  machine: KvStateMachine,
) => Assembled;

/** What differs between the places where JavaScript runs. */
export type Preset = {
  /**
   * Where this member keeps its replica: two calls for one namespace and place share it. Null: the
   * handle is inert. Throws `TypeError` for options that make no sense here.
   */
  readonly place: (options: JoinOptions) => string | null;
  /** A label for a member that was given none. */
  readonly label: () => string;
  readonly assemble: Assemble;
};
