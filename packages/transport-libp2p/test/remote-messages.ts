/** What a test and a host that lives elsewhere say to each other. */
import type { Channel } from '@quorate/contracts';

export type ToHost =
  | { readonly type: 'start'; readonly ask: number }
  | { readonly type: 'connect'; readonly host: string; readonly addresses: readonly string[] }
  | { readonly type: 'dial'; readonly ask: number; readonly address: string }
  | { readonly type: 'disconnect'; readonly host: string }
  | {
      readonly type: 'send';
      readonly link: number;
      readonly channel: Channel;
      readonly frame: Uint8Array;
    }
  | { readonly type: 'closeLink'; readonly link: number; readonly reason: string }
  | { readonly type: 'closeTransport'; readonly ask: number };

export type FromHost =
  | { readonly type: 'ready'; readonly host: string; readonly addresses: readonly string[] }
  | { readonly type: 'answer'; readonly ask: number; readonly value: string; readonly code: string }
  | {
      readonly type: 'linkUp';
      readonly link: number;
      readonly host: string;
      readonly kind: string;
      readonly initiator: boolean;
    }
  | { readonly type: 'linkDown'; readonly link: number; readonly reason: string }
  | {
      readonly type: 'frame';
      readonly link: number;
      readonly channel: Channel;
      readonly frame: Uint8Array;
    }
  | { readonly type: 'drained'; readonly link: number; readonly channel: Channel };
