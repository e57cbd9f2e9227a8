/** Keys of groups, and certificates of somebody who has none. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PrivateKey } from '@libp2p/interface';
import { generatePrivateKey, readPrivateKey } from '../src/host/private-key.ts';

/** The key of the group whose relay has this directory. */
export async function groupKeyIn(directory: string): Promise<PrivateKey> {
  const [line = ''] = (await readFile(join(directory, 'group.key'), 'utf8')).split('\n');
  const { key } = JSON.parse(line) as { readonly key: string };
  return readPrivateKey(new Uint8Array(Buffer.from(key, 'hex')));
}

export async function newKey(): Promise<PrivateKey> {
  return readPrivateKey(await generatePrivateKey());
}

/** A key that says it is `real`, whose signatures somebody else makes. */
export async function posingAs(real: PrivateKey): Promise<PrivateKey> {
  const own = await newKey();
  return { publicKey: real.publicKey, sign: own.sign.bind(own) } as PrivateKey;
}
