export { nobleAes } from './aes.ts';
export type { AesGcm, AesGcmKey } from './aes.ts';
export { createCipher } from './cipher.ts';
export type { CipherOptions, NamespaceCipher } from './cipher.ts';
export { deriveSecret, passphraseCharactersMin } from './passphrase.ts';
export type { DeriveOptions } from './passphrase.ts';
export { recordOverheadBytes, recordValueBytesMax, verifyRecord } from './record.ts';
export { generateSecret, parseSecret, ringSecretsMax } from './secret.ts';
export type { Secret, SecretSource } from './secret.ts';
