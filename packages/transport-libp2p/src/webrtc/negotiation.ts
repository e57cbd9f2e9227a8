/**
 * Joins two hosts by WebRTC: descriptions and candidates go through the relay, in order, until the
 * channels of the wire are open. Candidates are told as they are found.
 */
import { FramedStream } from '../host/framed-stream.ts';
import type { ByteStream } from '../host/wire.ts';
import { MessageError } from '../wire/fields.ts';
import type { RtcWire } from './rtc-wire.ts';
import { decodeSignal, encodeSignal, signalBytesMax } from './signals.ts';
import type { Signal } from './signals.ts';

export type Negotiation = {
  readonly stream: ByteStream;
  readonly peerConnection: RTCPeerConnection;
  readonly wire: RtcWire;
};

/** More than any browser finds; a stranger may not make us hold more work than that. */
const signalsMax = 256;
const queueBytesMax = 256 * 1024;
const closeGraceMs = 1_000;

/** Offers, and resolves once the wire is open. Otherwise rejects, and the wire is over. */
export async function offer(negotiation: Negotiation, signal: AbortSignal): Promise<void> {
  const { peerConnection, wire } = negotiation;
  const signals = new Signals(negotiation, {
    answer: async (sdp) => peerConnection.setRemoteDescription({ type: 'answer', sdp }),
  });
  try {
    const { sdp = '' } = await peerConnection.createOffer();
    // Said first: setting it starts the search for candidates, which must come behind it.
    signals.send({ type: 'offer', sdp });
    await peerConnection.setLocalDescription({ type: 'offer', sdp });
    await wire.opened(signal);
    signals.close();
  } catch (error) {
    wire.discard();
    signals.abort();
    throw error;
  }
}

/** Answers whoever offers. Resolves once the wire is open; rejects otherwise, and it is over. */
export async function answer(negotiation: Negotiation, signal: AbortSignal): Promise<void> {
  const { peerConnection, wire } = negotiation;
  const signals = new Signals(negotiation, {
    offer: async (offered) => {
      await peerConnection.setRemoteDescription({ type: 'offer', sdp: offered });
      const { sdp = '' } = await peerConnection.createAnswer();
      signals.send({ type: 'answer', sdp });
      await peerConnection.setLocalDescription({ type: 'answer', sdp });
    },
  });
  try {
    await wire.opened(signal);
    signals.close();
  } catch (error) {
    wire.discard();
    signals.abort();
    throw error;
  }
}

type Description = 'offer' | 'answer';

/** The two sides' messages, one handled after the other. What breaks them ends the wire. */
class Signals {
  readonly #framed: FramedStream;
  readonly #peerConnection: RTCPeerConnection;
  readonly #wire: RtcWire;
  readonly #wanted: Partial<Record<Description, (sdp: string) => Promise<void>>>;
  #described = false;
  #count = 0;
  #handled: Promise<void> = Promise.resolve();

  constructor(
    { stream, peerConnection, wire }: Negotiation,
    wanted: Partial<Record<Description, (sdp: string) => Promise<void>>>,
  ) {
    this.#peerConnection = peerConnection;
    this.#wire = wire;
    this.#wanted = wanted;
    this.#framed = new FramedStream({
      stream,
      prefixBytes: 0,
      frameBytesMax: signalBytesMax,
      queueBytesMax,
      events: {
        prefix: () => {},
        control: () => {},
        drained: () => {},
        frame: (frame) => this.#take(frame),
        ended: (reason) => {
          // A side that is done says so by ending; one that gave up resets.
          if (reason !== 'ended' && !wire.isOpen) wire.discard();
        },
      },
    });
    peerConnection.addEventListener('icecandidate', ({ candidate }) => {
      // The empty ones mark an end that nobody waits for.
      if (candidate === null || candidate.candidate === '') return;
      const { sdpMid, sdpMLineIndex } = candidate;
      this.send({ type: 'candidate', candidate: candidate.candidate, sdpMid, sdpMLineIndex });
    });
  }

  send(signal: Signal): void {
    this.#framed.send(encodeSignal(signal));
  }

  close(): void {
    this.#framed.close(closeGraceMs);
  }

  abort(): void {
    this.#framed.abort('given up');
  }

  #take(frame: Uint8Array): void {
    this.#count += 1;
    if (this.#count > signalsMax) {
      this.#wire.discard();
      return;
    }
    this.#handled = this.#handled
      .then(async () => this.#handle(frame))
      .catch(() => {
        // A description that cannot be used, or a connection that was closed meanwhile.
        this.#wire.discard();
      });
  }

  async #handle(frame: Uint8Array): Promise<void> {
    const signal = decodeSignal(frame);
    if (signal === null || this.#wire.isOver) return;
    if (signal.type === 'candidate') {
      if (!this.#described) throw new MessageError('A candidate came before the description');
      const { candidate, sdpMid, sdpMLineIndex } = signal;
      try {
        await this.#peerConnection.addIceCandidate({ candidate, sdpMid, sdpMLineIndex });
      } catch {
        // One way less; others may do.
      }
      return;
    }
    const describe = this.#wanted[signal.type];
    if (describe === undefined || this.#described) {
      throw new MessageError(`Cannot use an ${signal.type} here`);
    }
    this.#described = true;
    await describe(signal.sdp);
  }
}
