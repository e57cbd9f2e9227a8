/** Branches of a replica's history, written as words: each letter is an opening (Z48). */
import { pastCountMax } from '@quorate/contracts';
import type { History } from '../src/links/branch.ts';

/** `abb` is run 3 of the branch that parted from `a…` at run 2; its nonces are a1, b2, b3. */
export function branch(word: string): History {
  const nonces = [...word].map((letter, i) => `${letter}${i + 1}`).reverse();
  return { epoch: word.length, nonce: nonces[0] ?? '', past: nonces.slice(1, 1 + pastCountMax) };
}
