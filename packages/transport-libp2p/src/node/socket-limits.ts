/** What every WebSocket of a Node process is held to, dialled or accepted. */
import type { WebSocket } from 'ws';
import { messageBytesMax } from '../web-sockets/socket-connection.ts';

export const limits: {
  readonly maxPayload: number;
  readonly perMessageDeflate: false;
  readonly autoPong: false;
} = {
  maxPayload: messageBytesMax,
  perMessageDeflate: false,
  // See `hearPings`.
  autoPong: false,
  // How long the other side may take to answer a goodbye before its socket is destroyed. (The types
  // of `ws` do not know it yet.)
  ...{ closeTimeout: 1_000 },
};

/**
 * Answers pings, so that at most one answer waits: a peer that sends pings and reads nothing would
 * have them pile up (T9). The later of two pings is answered for both, which RFC 6455 (§5.5.3) allows.
 */
export function hearPings(socket: WebSocket): void {
  let isSending = false;
  let latest: Buffer | null = null;
  const answer = (): void => {
    const payload = latest;
    if (payload === null || socket.readyState !== socket.OPEN) return;
    latest = null;
    isSending = true;
    socket.pong(payload, undefined, () => {
      isSending = false;
      answer();
    });
  };
  socket.on('ping', (payload) => {
    latest = payload;
    if (!isSending) answer();
  });
}

/** Whether it was the other side's bytes that could not be borne: as HTTP, or as frames. */
export function isMalformed(error: unknown): boolean {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' && /^(WS_ERR|HPE)_/.test(code);
}
