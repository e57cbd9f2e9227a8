/** What a process holds open, as the system counts it. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

type Connection = { readonly local: number; readonly remote: number };

/**
 * The sockets of a process, but those to its own `gateway` that this process keeps for its next call;
 * of each that is TCP its two ports. Linux only.
 */
export function socketsOf(pid: number, gateway?: string): string[] {
  const port = gateway === undefined ? -1 : Number(new URL(gateway).port);
  const own = new Set(socketsIn(process.pid).map((one) => one?.local));
  return socketsIn(pid)
    .filter((one) => one?.local !== port || !own.has(one.remote))
    .map((one) => (one === null ? 'local' : `${one.local}-${one.remote}`));
}

/** Null for what is no TCP. */
function socketsIn(pid: number): (Connection | null)[] {
  const table = connections(pid);
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    const inode = inodeOf(`/proc/${pid}/fd/${fd}`);
    return inode === null ? [] : [table.get(inode) ?? null];
  });
}

function inodeOf(link: string): string | null {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(link))?.[1] ?? null;
  } catch {
    // Closed while it was looked at.
    return null;
  }
}

/** By inode: what the kernel knows of each connection. */
function connections(pid: number): Map<string, Connection> {
  const found = new Map<string, Connection>();
  for (const line of readFileSync(`/proc/${pid}/net/tcp`, 'utf8').split('\n').slice(1)) {
    const [, local = '', remote = '', , , , , , , inode = ''] = line.trim().split(/ +/);
    const port = (end: string): number => Number.parseInt(end.split(':')[1] ?? '', 16);
    found.set(inode, { local: port(local), remote: port(remote) });
  }
  return found;
}
