/** What a gateway needs of the member it stands in front of. */
import type { ClusterStatus, MemberInfo } from '@quorate/cluster';
import type { RegisterView, RestoredRegister } from '@quorate/cluster/register';
import type { KeyValue } from '@quorate/kv';

export type LeaveOptions = {
  readonly nodeId?: string;
  readonly signal?: AbortSignal;
};

export type StreamOptions = { readonly signal?: AbortSignal; readonly timeoutMs?: number };

/** A running member, as `joinCluster()` hands it out. */
export type GatewayTarget = {
  readonly status: ClusterStatus;
  readonly kv: Pick<
    KeyValue,
    'batch' | 'delete' | 'getEntry' | 'increment' | 'put' | 'range' | 'revision' | 'txn' | 'watch'
  >;
  members(): readonly MemberInfo[];
  leave(options?: LeaveOptions): Promise<void>;
  showRegister(options?: { readonly signal?: AbortSignal }): Promise<RegisterView>;
  restoreRegister(options?: { readonly signal?: AbortSignal }): Promise<RestoredRegister>;
  /** One consistent state at one revision, as the bytes of a backup. */
  backup(options?: StreamOptions): AsyncIterable<Uint8Array>;
  /** The same as entries, in key order. */
  export(
    options?: StreamOptions & { readonly prefix?: string },
  ): AsyncIterable<{ readonly key: string; readonly value: unknown }>;
};
