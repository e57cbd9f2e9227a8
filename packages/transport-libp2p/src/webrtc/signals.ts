/**
 * What two hosts say to each other to be joined by WebRTC, on `/quorate/webrtc/1` over a connection
 * that a relay carries. Noise proves both ends of it, and the descriptions hold the fingerprints of
 * the certificates: so WebRTC's own encryption is with the same host.
 */
import { encode, rfc8949EncodeOptions } from 'cborg';
import { MessageError, readMap } from '../wire/fields.ts';

export const webRtcProtocol = '/quorate/webrtc/1';

/** Longest message; a description takes about 1 KiB. */
export const signalBytesMax: number = 16 * 1024;

export type Signal =
  | { readonly type: 'offer' | 'answer'; readonly sdp: string }
  | {
      readonly type: 'candidate';
      readonly candidate: string;
      readonly sdpMid: string | null;
      readonly sdpMLineIndex: number | null;
    };

export function encodeSignal(signal: Signal): Uint8Array {
  return encode(signal, rfc8949EncodeOptions);
}

/** Null for a type of a later version. Throws MessageError. */
export function decodeSignal(bytes: Uint8Array): Signal | null {
  const map = readMap(bytes);
  const type = map.text('type', 16);
  switch (type) {
    case 'offer':
    case 'answer':
      return { type, sdp: map.text('sdp', signalBytesMax) };
    case 'candidate': {
      const lineIndex = map.raw('sdpMLineIndex') === null ? null : map.count('sdpMLineIndex');
      if (lineIndex !== null && lineIndex > 0xffff) {
        throw new MessageError("Cannot read 'sdpMLineIndex', wanted at most 65535");
      }
      return {
        type,
        candidate: map.text('candidate', 1_024),
        sdpMid: map.raw('sdpMid') === null ? null : map.text('sdpMid', 64),
        sdpMLineIndex: lineIndex,
      };
    }
    default:
      return null;
  }
}
