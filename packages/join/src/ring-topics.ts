import type { Cipher } from '@quorate/contracts';

/** The topics of all secrets that a cipher knows, the primary's first (Z42). */
export function ringTopics(
  cipher: Cipher & { readonly topics?: readonly string[] },
): readonly string[] {
  const { topic, topics = [] } = cipher;
  return [topic, ...topics.filter((one) => one !== topic)];
}
