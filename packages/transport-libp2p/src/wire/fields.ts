/** Reads maps of canonical CBOR field by field; whatever is not as wanted is a MessageError. */
import { decode } from 'cborg';

/** The bytes are no message of this protocol. */
export class MessageError extends Error {
  override readonly name = 'MessageError';
}

/** Throws MessageError for anything but one canonical map. */
export function readMap(bytes: Uint8Array): Fields {
  let raw: unknown;
  try {
    raw = decode(bytes, {
      strict: true,
      useMaps: false,
      rejectDuplicateMapKeys: true,
      allowIndefinite: false,
      allowBigInt: false,
      allowNaN: false,
      allowInfinity: false,
      allowUndefined: false,
    });
  } catch (cause) {
    throw new MessageError('Cannot read a message, wanted canonical CBOR', { cause });
  }
  return new Fields(raw);
}

/** Reads the fields of a decoded map, each checked. */
export class Fields {
  readonly #map: Record<string, unknown>;

  constructor(raw: unknown) {
    if (
      typeof raw !== 'object' ||
      raw === null ||
      Array.isArray(raw) ||
      raw instanceof Uint8Array
    ) {
      throw new MessageError('Cannot read a message, wanted a map');
    }
    this.#map = raw as Record<string, unknown>;
  }

  raw(name: string): unknown {
    return Object.hasOwn(this.#map, name) ? this.#map[name] : null;
  }

  count(name: string): number {
    const value = this.raw(name);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    throw new MessageError(`Cannot read '${name}', wanted a count`);
  }

  truth(name: string): boolean {
    const value = this.raw(name);
    if (typeof value === 'boolean') return value;
    throw new MessageError(`Cannot read '${name}', wanted true or false`);
  }

  text(name: string, lengthMax: number): string {
    const value = this.raw(name);
    if (typeof value === 'string' && value.length <= lengthMax) return value;
    throw new MessageError(`Cannot read '${name}', wanted at most ${lengthMax} characters`);
  }

  bytes(name: string, bytesMax: number): Uint8Array {
    const value = this.raw(name);
    if (value instanceof Uint8Array && value.length <= bytesMax) return value;
    throw new MessageError(`Cannot read '${name}', wanted at most ${bytesMax} bytes`);
  }

  topic(): string {
    const topic = this.text('topic', 64);
    if (/^[0-9a-f]{64}$/.test(topic)) return topic;
    throw new MessageError("Cannot read 'topic', wanted 64 hex digits");
  }

  nameTag(): string {
    const nameTag = this.text('nameTag', 64);
    if (/^[0-9a-f]{16,64}$/.test(nameTag)) return nameTag;
    throw new MessageError("Cannot read 'nameTag', wanted 16 to 64 hex digits");
  }
}
