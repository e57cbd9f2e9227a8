/**
 * How many connections a process has descriptors for: the disk and the other members come first, and a
 * gateway that took them all would end what it stands in front of.
 */
import { readFileSync } from 'node:fs';

/** The most descriptors this process may have; infinite where the system does not say. */
export function descriptorsMax(): number {
  try {
    return openFilesMax(readFileSync('/proc/self/limits', 'utf8'));
  } catch {
    // Not Linux.
    return Infinity;
  }
}

/** The soft limit in the text of `/proc/self/limits`. */
export function openFilesMax(limits: string): number {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? Infinity : Number(soft);
}

/** What of `watchesMax` fits, and the connections in all: some are left for calls. */
export function shareOf(
  descriptors: number,
  watchesMax: number,
): { readonly connectionsMax: number; readonly watchesMax: number } {
  const spared = Math.max(descriptors - keptDescriptors, Math.ceil(descriptors / 4));
  const connectionsMax = Math.min(4 * watchesMax, spared);
  return { connectionsMax, watchesMax: Math.min(watchesMax, Math.ceil((connectionsMax * 3) / 4)) };
}

/** For the disk, links to members and relays, and what the runtime itself opens. */
const keptDescriptors = 128;
