/**
 * How much of a passphrase nobody would guess from the rest of it: the rule below which `deriveSecret`
 * refuses. It cannot tell a good passphrase from one in a dictionary; it turns away what people type to
 * get past a minimal length.
 *
 * What counts: each character once that does not follow from what stands before it. It follows if
 *
 * - it repeats the character before it, or is its neighbour in the alphabet, in the digits or on a
 *   keyboard's row, in either direction (`aaaa`, `4567`, `fedc`, `qwer`);
 * - together with the two before it, it stood before (`passwordpassword`, `abcabcabc`);
 *
 * and a word that everybody tries first, the namespace among them, counts as one character. Capitals
 * count as small letters. Of these at least `varietyMin` are needed, six of them different.
 */
export function varietyOf(passphrase: string, namespace: string): Variety {
  let text = passphrase.toLowerCase();
  for (const [at, word] of [...commonWords, namespace].entries()) {
    // A stand-in of its own for each word: a character of the private use area.
    if (word.length > 3) text = text.replaceAll(word, String.fromCodePoint(0xe000 + at));
  }
  const characters = Array.from(text);
  const seen = new Set<string>();
  const counted: string[] = [];
  for (const [at, character] of characters.entries()) {
    const three = at < 2 ? null : characters.slice(at - 2, at + 1).join('');
    const isNext = at > 0 && isStep(characters[at - 1] ?? '', character);
    if (!isNext && (three === null || !seen.has(three))) counted.push(character);
    if (three !== null) seen.add(three);
  }
  return { characters: counted.length, different: new Set(counted).size };
}

export type Variety = { readonly characters: number; readonly different: number };

/** Of random small letters this many are 56 bits, and argon2id makes each try of one cost a second. */
export const varietyMin = 12;
export const differentMin = 6;

function isStep(from: string, to: string): boolean {
  if (from === to) return true;
  return rows.some((row) => {
    const at = row.indexOf(from);
    return at >= 0 && (row[at + 1] === to || (at > 0 && row[at - 1] === to));
  });
}

const rows = [
  'abcdefghijklmnopqrstuvwxyz',
  '01234567890',
  'qwertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  'qwertzuiopü',
  'azertyuiop',
];

const commonWords = [
  'passphrase',
  'password',
  'passwort',
  'secret',
  'quorate',
  'welcome',
  'letmein',
  'iloveyou',
  'changeme',
  'admin',
  'login',
  'hello',
  'test',
];
