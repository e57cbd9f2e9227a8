/** The processes of a browser, as Linux shows them. */
import { readdirSync, readFileSync } from 'node:fs';

/** The pids of all descendants of `pid`, or of its children only. Empty where there is no /proc. */
export function childrenOf(pid: number, depth: 'all' | 'direct' = 'all'): number[] {
  const children = new Map<number, number[]>();
  for (const one of runningPids()) {
    const parent = Number(statOf(one)?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), one]);
  }
  const found = [...(children.get(pid) ?? [])];
  if (depth === 'direct') return found;
  for (const one of found) found.push(...(children.get(one) ?? []));
  return found;
}

/** CPU time that a process has used, in the clock ticks of the kernel. */
export function cpuTicksOf(pid: number): number {
  const stat = statOf(pid);
  return Number(stat?.[11] ?? 0) + Number(stat?.[12] ?? 0);
}

export function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

function runningPids(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** The fields of /proc/pid/stat from the state on; undefined once the process is gone. */
function statOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
