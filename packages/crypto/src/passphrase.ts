import { argon2idAsync } from '@noble/hashes/argon2.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { QuorateError } from '@quorate/contracts';
import { utf8 } from './bytes.ts';
import { checkNamespace } from './namespace.ts';
import { differentMin, varietyMin, varietyOf } from './variety.ts';

export type DeriveOptions = {
  /** Ends the work at its next slice of some 10 ms. */
  readonly signal?: AbortSignal;
  /** Called now and then with the part that is done, 0 to 1. */
  readonly onProgress?: (fraction: number) => void;
};

/**
 * Makes a secret of a passphrase, by argon2id with 64 MiB and three passes (RFC 9106 §4, its second
 * choice, in one lane): a second or two of work, in slices. It is never done silently, since a
 * passphrase is the weaker choice: a namespace's topic and a member that dials both let a stranger
 * try passphrases offline, and only this work slows them. Prefer `generateSecret`.
 *
 * The passphrase is taken in normal form NFKC and has at least 16 characters, of which 12 do not follow
 * from others (repeated, in a row, one of a few words that everybody tries), else TypeError; the namespace
 * is the salt. Rejects with `ABORTED`.
 */
export async function deriveSecret(
  passphrase: string,
  namespace: string,
  options: DeriveOptions = {},
): Promise<Uint8Array> {
  checkNamespace(namespace);
  if (typeof passphrase !== 'string') {
    throw new TypeError('Cannot derive a secret: the passphrase is not a string');
  }
  const normal = passphrase.normalize('NFKC');
  const characters = Array.from(normal).length;
  if (characters < passphraseCharactersMin) {
    throw new TypeError(
      `Cannot derive a secret: a passphrase of ${characters} characters, wanted at least ${passphraseCharactersMin}`,
    );
  }
  const variety = varietyOf(normal, namespace);
  if (variety.characters < varietyMin || variety.different < differentMin) {
    throw new TypeError(
      `Cannot derive a secret: the passphrase is easily guessed, for all but ${variety.characters} of its ` +
        `characters follow from the others; wanted ${varietyMin} that do not, such as five words drawn by ` +
        'chance, or a secret of `quorate secret generate`',
    );
  }
  const { signal, onProgress } = options;
  throwIfAborted(signal);
  const secret = await argon2idAsync(utf8(normal), saltOf(namespace), {
    ...cost,
    dkLen: 32,
    asyncTick: 10,
    onProgress: (fraction) => {
      // Throwing here is the one way to end the work before its time.
      throwIfAborted(signal);
      onProgress?.(fraction);
    },
  });
  throwIfAborted(signal);
  return secret;
}

export const passphraseCharactersMin = 16;

function saltOf(namespace: string): Uint8Array {
  return sha256(utf8(`quorate/1 passphrase salt\0${namespace}`));
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new QuorateError('ABORTED', 'Cannot derive the secret: aborted by the caller', {
    cause: signal.reason,
  });
}

/** `m` in KiB. Part of the format: another cost gives another secret. */
const cost = { m: 65_536, t: 3, p: 1 };
