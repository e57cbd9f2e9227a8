/**
 * Peers that behave badly, at every step of a connection: as callers of a port, and as what answers
 * a dial. They speak TCP, HTTP and WebSocket by hand, so that they can break each.
 */
import { createHash, randomBytes } from 'node:crypto';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { sleep } from './wait.ts';

export type BadCaller = {
  readonly name: string;
  /** Behaves badly on a connection that is open. What it leaves open is closed by who called it. */
  act(socket: Socket): Promise<void> | void;
};

const key = Buffer.from('a nonce of 16 by').toString('base64');

/** The first words of a WebSocket, lawful unless changed. */
export function upgradeRequest(headers: Readonly<Record<string, string>> = {}): string {
  const all = {
    host: '127.0.0.1',
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-key': key,
    'sec-websocket-version': '13',
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET / HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** A frame of WebSocket, lawful unless changed: masked as a client's, one message. */
export function frame(
  payload: Uint8Array,
  {
    first = 0x82,
    masked = true,
    length = payload.length,
  }: {
    /** FIN, reserved bits and opcode. */
    readonly first?: number;
    readonly masked?: boolean;
    /** What it says of its length. */
    readonly length?: number | bigint;
  } = {},
): Buffer {
  const mask = masked ? 0x80 : 0;
  let head: Buffer;
  if (length < 126) head = Buffer.of(first, mask | Number(length));
  else if (length < 65_536) {
    head = Buffer.alloc(4);
    head.set([first, mask | 126]);
    head.writeUInt16BE(Number(length), 2);
  } else {
    head = Buffer.alloc(10);
    head.set([first, mask | 127]);
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  // A mask of zeros leaves the payload as it is.
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0), payload]);
}

/** A line of multistream-select: its length, and a newline at the end. */
export function line(text: string): Buffer {
  return Buffer.concat([Buffer.of(text.length + 1), Buffer.from(`${text}\n`)]);
}

/** Frames that no WebSocket may send. */
export const badFrames: readonly { readonly name: string; readonly bytes: Buffer }[] = [
  { name: 'a reserved bit', bytes: frame(Buffer.from('x'), { first: 0xc2 }) },
  { name: 'another reserved bit', bytes: frame(Buffer.from('x'), { first: 0xa2 }) },
  { name: 'an unknown opcode', bytes: frame(Buffer.from('x'), { first: 0x83 }) },
  { name: 'an unknown control opcode', bytes: frame(Buffer.from('x'), { first: 0x8b }) },
  { name: 'no mask', bytes: frame(Buffer.from('x'), { masked: false }) },
  { name: 'a continuation of nothing', bytes: frame(Buffer.from('x'), { first: 0x80 }) },
  { name: 'a ping in pieces', bytes: frame(Buffer.from('x'), { first: 0x09 }) },
  { name: 'a ping of 200 bytes', bytes: frame(randomBytes(200), { first: 0x89 }) },
  { name: 'a goodbye with a bad code', bytes: frame(Buffer.of(0, 1), { first: 0x88 }) },
  { name: 'a goodbye of one byte', bytes: frame(Buffer.of(3), { first: 0x88 }) },
  { name: 'text that is no UTF-8', bytes: frame(Buffer.of(0xff, 0xfe), { first: 0x81 }) },
  { name: 'a text', bytes: frame(Buffer.from('hello'), { first: 0x81 }) },
  { name: 'a length of 2^63', bytes: frame(Buffer.from('x'), { length: 2n ** 63n }) },
  { name: 'a length of 1 GiB', bytes: frame(Buffer.from('x'), { length: 2 ** 30 }) },
  { name: 'a message of 200 KiB', bytes: frame(randomBytes(200 * 1024)) },
  { name: 'noise', bytes: randomBytes(4_096) },
];

/** What goes wrong behind the frames: where two peers of libp2p agree on how to go on. */
export const badWords: readonly { readonly name: string; readonly words: readonly Buffer[] }[] = [
  { name: 'noise for a first line', words: [randomBytes(300)] },
  { name: 'a line that never ends', words: [Buffer.alloc(60_000, 0xff)] },
  { name: 'a protocol nobody knows', words: [line('/multistream/1.0.0'), line('/nothing/1.0.0')] },
  { name: 'another version', words: [line('/multistream/9.9.9')] },
  {
    name: 'a Noise message of noise',
    words: [
      line('/multistream/1.0.0'),
      line('/noise'),
      Buffer.concat([Buffer.of(0, 200), randomBytes(200)]),
    ],
  },
  {
    name: 'a Noise message of no bytes',
    words: [line('/multistream/1.0.0'), line('/noise'), Buffer.of(0, 0)],
  },
  {
    name: 'a Noise handshake that stops half-way',
    words: [
      line('/multistream/1.0.0'),
      line('/noise'),
      Buffer.concat([Buffer.of(0, 32), randomBytes(32)]),
    ],
  },
];

/** Resolves with what came first, or with nothing after a while. */
async function answer(socket: Socket): Promise<void> {
  await Promise.race([
    new Promise<void>((resolve) => socket.once('data', () => resolve())),
    sleep(400),
  ]);
}

function saying(name: string, ...words: readonly (string | Buffer)[]): BadCaller {
  return {
    name,
    act: async (socket) => {
      for (const word of words) {
        socket.write(word);
        await sleep(10);
      }
    },
  };
}

async function upgraded(socket: Socket): Promise<void> {
  socket.write(upgradeRequest());
  await answer(socket);
}

/** Everything a stranger may do to a port that speaks HTTP and WebSocket. */
export const badCallers: readonly BadCaller[] = [
  saying('connects and says nothing'),
  { name: 'connects and leaves', act: (socket) => void socket.end() },
  { name: 'connects and resets', act: (socket) => void socket.resetAndDestroy() },
  saying('noise instead of HTTP', randomBytes(2_000)),
  saying('zeros instead of HTTP', Buffer.alloc(2_000)),
  saying('the hello of TLS', Buffer.from('16030100f8010000f40303', 'hex'), randomBytes(200)),
  saying('half a request', 'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n'),
  {
    name: 'half a request, then resets',
    act: async (socket) => {
      socket.write('GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nupgr');
      await sleep(20);
      socket.resetAndDestroy();
    },
  },
  saying('a request with headers of 64 KiB', upgradeRequest({ cookie: 'x'.repeat(64 * 1024) })),
  saying('an ordinary request', 'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'),
  saying('a body that never comes', 'POST / HTTP/1.1\r\ncontent-length: 1000\r\nhost: a\r\n\r\nx'),
  saying('an absurd target', 'GET // HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'),
  saying('an upgrade of another version', upgradeRequest({ 'sec-websocket-version': '1' })),
  saying('an upgrade without a key', upgradeRequest({ 'sec-websocket-key': '' })),
  saying('an upgrade to something else', upgradeRequest({ upgrade: 'h2c' })),
  {
    name: 'an upgrade, then leaves before the answer',
    act: (socket) => void socket.end(upgradeRequest()),
  },
  {
    name: 'an upgrade, then resets before the answer',
    act: (socket) => {
      socket.write(upgradeRequest());
      setImmediate(() => socket.resetAndDestroy());
    },
  },
  { name: 'an upgrade, then silence', act: upgraded },
  {
    name: 'an upgrade, then resets',
    act: async (socket) => {
      await upgraded(socket);
      socket.resetAndDestroy();
    },
  },
  {
    name: 'an upgrade, then ends its side and reads on',
    act: async (socket) => {
      await upgraded(socket);
      socket.end();
    },
  },
  {
    name: 'an upgrade, then pings and never reads',
    act: async (socket) => {
      await upgraded(socket);
      socket.pause();
      const pings = Buffer.concat(
        Array.from({ length: 500 }, () => frame(randomBytes(120), { first: 0x89 })),
      );
      for (let turn = 0; turn < 20 && socket.write(pings); turn += 1) await sleep(5);
    },
  },
  saying(
    'a malformed frame with the request',
    upgradeRequest() + badFrames[0]?.bytes.toString('latin1'),
  ),
  ...badFrames.map(({ name, bytes }) => ({
    name: `an upgrade, then ${name}`,
    act: async (socket: Socket) => {
      await upgraded(socket);
      socket.write(bytes);
      await sleep(10);
    },
  })),
  ...badWords.flatMap(({ name, words }) => [
    {
      name: `an upgrade, then ${name}`,
      act: async (socket: Socket) => {
        await upgraded(socket);
        for (const word of words) {
          socket.write(frame(word));
          await answer(socket);
        }
      },
    },
    {
      name: `an upgrade, then ${name} and a reset`,
      act: async (socket: Socket) => {
        await upgraded(socket);
        for (const word of words) socket.write(frame(word));
        await sleep(20);
        socket.resetAndDestroy();
      },
    },
  ]),
];

/** Opens connections to `port`, behaves badly on each of them, and lets go of all. */
export async function callBadly(port: number, caller: BadCaller, count = 3): Promise<void> {
  const sockets = await Promise.all(
    Array.from(
      { length: count },
      async () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect(port, '127.0.0.1', () => resolve(socket));
          socket.on('error', reject);
          // Nobody reads the answers: but they must not stay in the way of the end.
          socket.on('data', () => {});
        }),
    ),
  );
  await Promise.all(sockets.map(async (socket) => caller.act(socket)));
  await sleep(30);
  for (const socket of sockets) socket.destroy();
}

export type BadAnswer = {
  readonly name: string;
  act(socket: Socket): void;
};

/** Answers a dial with what is lawful up to there, then with `words`, and stays. */
function answering(name: string, ...words: readonly (string | Buffer)[]): BadAnswer {
  return {
    name,
    act: (socket) => {
      socket.once('data', (request: Buffer) => {
        for (const word of words) socket.write(word === lawful ? accept(request) : word);
      });
    },
  };
}

const lawful = 'the lawful answer';

function accept(request: Buffer): string {
  const asked = /sec-websocket-key: *(\S+)/i.exec(request.toString('latin1'))?.[1] ?? '';
  const digest = createHash('sha1')
    .update(`${asked}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64');
  return `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${digest}\r\n\r\n`;
}

/** Everything that may answer where a member dials. */
export const badAnswers: readonly BadAnswer[] = [
  { name: 'closes at once', act: (socket) => void socket.end() },
  { name: 'resets at once', act: (socket) => void socket.resetAndDestroy() },
  { name: 'accepts and stays silent', act: () => {} },
  {
    name: 'noise before anything was asked',
    act: (socket) => void socket.write(randomBytes(2_000)),
  },
  answering('noise', randomBytes(2_000)),
  answering('a page', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi'),
  answering('a refusal', 'HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n'),
  answering(
    'a redirect',
    'HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n',
  ),
  answering('half an answer', 'HTTP/1.1 101 Switching Proto'),
  answering(
    'headers without end',
    `HTTP/1.1 101 Switching Protocols\r\nx: ${'x'.repeat(64 * 1024)}`,
  ),
  answering(
    'a wrong key',
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: AAAA\r\n\r\n',
  ),
  answering('an upgrade and silence', lawful),
  {
    name: 'an upgrade and a reset',
    act: (socket) => {
      socket.once('data', (request: Buffer) => {
        socket.write(accept(request));
        setTimeout(() => socket.resetAndDestroy(), 20);
      });
    },
  },
  answering('an upgrade and a masked frame', lawful, frame(Buffer.from('x'))),
  ...badFrames.map(({ name, bytes }) =>
    answering(`an upgrade and ${name}`, lawful, unmasked(bytes)),
  ),
  ...badWords.map(({ name, words }) =>
    answering(
      `an upgrade and ${name}`,
      lawful,
      ...words.map((word) => frame(word, { masked: false })),
    ),
  ),
];

/** The same frame as a server would send it. */
function unmasked(bytes: Buffer): Buffer {
  if (((bytes[1] ?? 0) & 0x80) === 0) return bytes;
  const size = (bytes[1] ?? 0) & 0x7f;
  const head = size === 127 ? 10 : size === 126 ? 4 : 2;
  return Buffer.concat([
    Buffer.of(bytes[0] ?? 0, size),
    bytes.subarray(2, head),
    bytes.subarray(head + 4),
  ]);
}

/** A port that answers each dial with whatever is its behaviour at that time; null: it refuses. */
export class BadAnswerer {
  readonly port: number;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #behaviour: BadAnswer | null = null;
  /** How often it was dialled. */
  dials = 0;

  constructor(port: number) {
    this.port = port;
  }

  async become(behaviour: BadAnswer | null): Promise<void> {
    this.#behaviour = behaviour;
    for (const socket of this.#sockets) socket.destroy();
    if (behaviour === null) await this.#close();
    else if (this.#server === null) await this.#listen();
  }

  async #listen(): Promise<void> {
    const server = createServer((socket) => {
      this.dials += 1;
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.#sockets.delete(socket));
      this.#behaviour?.act(socket);
      socket.resume();
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.#server = server;
  }

  async #close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server !== null) await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}
