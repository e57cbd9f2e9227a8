/** What a register needs of whatever keeps it; the code that decides is the same in a simulation. */
import type { RegisterEntry } from './register-rules.ts';

export type RegisterList = {
  readonly revision: number;
  /** No topic that is new begins at or below this version. */
  readonly floor: number;
  readonly topics: readonly string[];
};

export type StoredRegister = Omit<RegisterList, 'topics'> & {
  readonly entries: readonly (readonly [topic: string, entry: RegisterEntry])[];
  /** A topic whose entry was kept, and that was not named yet. */
  readonly unlisted: string | null;
  /** Topics that must be there and cannot be read. */
  readonly damaged: readonly string[];
  /** As `setIncomplete` left it. */
  readonly isIncomplete: boolean;
};

/** Each change is durable once it has resolved. Rejects with what the system says. */
export interface RegisterDisk {
  /** What is kept, of at most so many topics; or what of it is lost, in words. */
  load(topicsMax: number): Promise<StoredRegister | string>;
  /** Names which topics there must be, in the place of what was named before. */
  writeList(list: RegisterList): Promise<void>;
  /** Keeps an entry, in the place of the one before it. */
  write(topic: string, entry: RegisterEntry): Promise<void>;
  /** Names one more topic that there must be, of which an entry is kept. */
  list(topic: string): Promise<void>;
  /** Of a topic that is not named any more. */
  remove(topic: string): Promise<void>;
  /** The register may have forgotten something: it had come to `shown` once, and to `had` now. */
  setIncomplete(note: { readonly shown: number; readonly had: number } | null): Promise<void>;
}
