/** What every WebSocket of a Node process is held to, dialled or accepted. */
import { messageBytesMax } from '../web-sockets/socket-connection.ts';

export const limits: { readonly maxPayload: number; readonly perMessageDeflate: false } = {
  maxPayload: messageBytesMax,
  perMessageDeflate: false,
  // How long the other side may take to answer a goodbye before its socket is destroyed. (The types
  // of `ws` do not know it yet.)
  ...{ closeTimeout: 1_000 },
};

/** Whether it was the other side's bytes that could not be borne: as HTTP, or as frames. */
export function isMalformed(error: unknown): boolean {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' && /^(WS_ERR|HPE)_/.test(code);
}
