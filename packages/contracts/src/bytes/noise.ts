/** `count` bytes, always the same, that no disk and no database makes smaller: room that is really taken. */
export function noise(count: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(count / 4));
  let state = 1;
  for (let at = 0; at < words.length; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  return new Uint8Array(words.buffer, 0, count);
}
