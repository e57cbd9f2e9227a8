/**
 * The checksum of zip and Ethernet (CRC-32, polynomial 0x04c11db7 reflected): an unsigned 32-bit
 * number, equal to `crc32` of `node:zlib`. Against damage, not against an attacker.
 */
export function crc32(bytes: Uint8Array): number {
  let sum = -1;
  let at = 0;
  for (const end = bytes.length - 3; at < end; at += 4) {
    sum ^= byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16);
    sum ^= byte(bytes, at + 3) << 24;
    sum =
      remainder(0x300 | (sum & 0xff)) ^
      remainder(0x200 | ((sum >>> 8) & 0xff)) ^
      remainder(0x100 | ((sum >>> 16) & 0xff)) ^
      remainder(sum >>> 24);
  }
  for (; at < bytes.length; at += 1) {
    sum = (sum >>> 8) ^ remainder((sum ^ byte(bytes, at)) & 0xff);
  }
  return ~sum >>> 0;
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

function remainder(index: number): number {
  return remainders[index] as number;
}

/**
 * What each value of a byte leaves when it is divided by the polynomial; then the same with one,
 * two and three bytes of zeros behind it, so that four bytes are taken at once.
 */
const remainders: Int32Array = new Int32Array(0x400);
for (let index = 0; index < 0x400; index += 1) {
  let rest = index < 0x100 ? index : remainder(index - 0x100);
  for (let bit = 0; bit < 8; bit += 1) rest = (rest >>> 1) ^ ((rest & 1) * 0xedb88320);
  remainders[index] = rest;
}
