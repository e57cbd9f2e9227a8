/**
 * What a person at the relay's own machine asks of it while it runs: over the socket in its directory,
 * which says first who holds it, one line of JSON, and one for an answer. Whoever may write in the directory may ask.
 */
import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import { QuorateError } from '@quorate/contracts';
import { isTopic } from '../host/link-protocol.ts';

export type ReleaseRequest = {
  /** 64 hex digits. */
  readonly topic: string;
  /** Although hosts of it are announced. */
  readonly force: boolean;
};

export type ReleaseAnswer = {
  /** False: there was no record, or hosts are announced. */
  readonly released: boolean;
  /** How many hosts are announced there now. */
  readonly announced: number;
};

/** Reads one request, answers it, and ends. A connection that asks nothing ends by itself. */
export function serveControl(
  socket: Socket,
  carryOut: {
    readonly release: (request: ReleaseRequest) => Promise<ReleaseAnswer>;
    /** False: the register was complete. */
    readonly complete: () => Promise<boolean>;
  },
): void {
  socket.setTimeout(patienceMs, () => socket.destroy());
  let text = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    text += chunk;
    if (text.length > lineLengthMax) socket.destroy();
    if (!text.endsWith('\n')) return;
    const request = readRequest(text);
    if (request === null) {
      socket.destroy();
      return;
    }
    const answering =
      request === 'complete'
        ? carryOut.complete().then((completed) => ({ completed }))
        : carryOut.release(request);
    answering.then(
      (answer: object) => socket.end(`${JSON.stringify(answer)}\n`),
      (error: unknown) => socket.end(`${JSON.stringify({ failed: String(error) })}\n`),
    );
  });
}

/** Asks the relay that listens at `path` to release. Errors: `UNREACHABLE`, `STORAGE_FAILED`. */
export async function askRelay(path: string, request: ReleaseRequest): Promise<ReleaseAnswer> {
  const { released, announced } = await ask(path, request);
  if (typeof released !== 'boolean' || typeof announced !== 'number') throw noAnswer(path);
  return { released, announced };
}

/** Asks it to say that its register is complete. Errors: as `askRelay`. */
export async function askComplete(path: string): Promise<boolean> {
  const { completed } = await ask(path, { complete: true });
  if (typeof completed !== 'boolean') throw noAnswer(path);
  return completed;
}

async function ask(path: string, request: object): Promise<Partial<Record<string, unknown>>> {
  const text = await new Promise<string>((settle, reject) => {
    const socket = createConnection(path, () => socket.write(`${JSON.stringify(request)}\n`));
    let answer = '';
    socket.setEncoding('utf8');
    socket.setTimeout(patienceMs, () => socket.destroy());
    socket.on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.once('error', reject);
    socket.once('close', () => settle(answer));
  }).catch((cause: unknown) => {
    throw new QuorateError('UNREACHABLE', `Cannot ask the relay at ${path}`, { cause });
  });
  const answer = readObject(text.trim().split('\n').at(-1) ?? '');
  if (typeof answer?.['failed'] === 'string') {
    throw new QuorateError('STORAGE_FAILED', answer['failed']);
  }
  return answer ?? {};
}

function noAnswer(path: string): QuorateError {
  return new QuorateError('UNREACHABLE', `Cannot ask the relay at ${path}: no answer`);
}

function readRequest(text: string): ReleaseRequest | 'complete' | null {
  const { topic, force, complete } = readObject(text) ?? {};
  if (complete === true) return 'complete';
  if (typeof topic !== 'string' || !isTopic(topic)) return null;
  return { topic, force: force === true };
}

function readObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const raw: unknown = JSON.parse(text);
    return typeof raw === 'object' && raw !== null ? (raw as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

const lineLengthMax = 1_024;
const patienceMs = 5_000;
