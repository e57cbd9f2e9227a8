/** Members in one process, on memory and the real clock with short timeouts. */
import { setTimeout as delay } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import type { Clock } from '../src/contracts/clock.ts';
import type { ApplyContext, StateMachine } from '../src/contracts/state-machine.ts';
import type { Policy } from '../src/policy.ts';
import { Member } from '../src/member.ts';
import type { MemberOptions } from '../src/member.ts';
import { MemoryDisk, MemoryStorage } from '../src/memory/memory-storage.ts';
import { MemoryMeetingPoint } from '../src/memory/memory-rendezvous.ts';
import { MemoryNetwork } from '../src/memory/memory-transport.ts';
import { MemoryRegisters } from '../src/memory/memory-register.ts';
import { createPlainCipher } from '../src/memory/plain-cipher.ts';

export const realClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  defer: (callback) => {
    setImmediate(callback);
  },
};

export const shortTimeouts: Partial<Policy> = {
  tickMs: 10,
  heartbeatMs: 20,
  electionTimeoutMsMin: 150,
  electionTimeoutMsMax: 300,
  replaceAfterMs: 1_000,
};

/** A state machine that remembers each command as a line of text. */
export class LineMachine implements StateMachine {
  lines: string[] = [];

  apply(command: Uint8Array, { index }: ApplyContext): Uint8Array {
    this.lines.push(new TextDecoder().decode(command));
    return new TextEncoder().encode(String(index));
  }

  flush(): void {
    // Nobody observes the lines.
  }

  snapshot(): Iterable<Uint8Array> {
    return [new TextEncoder().encode(JSON.stringify(this.lines))];
  }

  restore(bytes: Uint8Array): void {
    this.lines = JSON.parse(new TextDecoder().decode(bytes)) as string[];
  }
}

export type World = {
  /** A member on its own disk; the same name gets the same disk again. */
  member(name: string, options?: Partial<MemberOptions>): Member;
  append(line: string): Uint8Array;
  log(member: Member): readonly string[];
  until(condition: () => boolean): Promise<void>;
  readonly network: MemoryNetwork;
  readonly registers: MemoryRegisters;
  close(): Promise<void>;
};

export function testWorld(policy: Partial<Policy> = {}): World {
  const network = new MemoryNetwork({ clock: realClock, retryMs: 20, silentAfterMs: 200 });
  const registers = new MemoryRegisters('test');
  const meetingPoint = new MemoryMeetingPoint();
  const disks = new Map<string, MemoryDisk>();
  const machines = new Map<Member, LineMachine>();
  let run = 0;
  return {
    network,
    registers,
    member(name, options = {}) {
      const disk = disks.get(name) ?? new MemoryDisk({ durable: true });
      disks.set(name, disk);
      const cipher = createPlainCipher({
        namespace: 'test',
        secrets: ['secret'],
        strict: true,
      });
      const machine = new LineMachine();
      run += 1;
      const host = `${name}-${run}`;
      const member = new Member({
        namespace: 'test',
        label: name,
        clock: realClock,
        random: (count) => new Uint8Array(randomBytes(count)),
        createStorage: () => new MemoryStorage(disk),
        cipher,
        network: () =>
          Promise.resolve({
            transport: network.transport(host),
            register: registers.register(cipher),
            rendezvous: meetingPoint.rendezvous(cipher.topic),
          }),
        stateMachine: machine,
        policy: { ...shortTimeouts, ...policy },
        ...options,
      });
      machines.set(member, machine);
      return member;
    },
    append: (line) => new TextEncoder().encode(line),
    log: (member) => machines.get(member)?.lines ?? [],
    async until(condition) {
      while (!condition()) await delay(5);
    },
    async close() {
      for (const member of machines.keys()) await member.close({ handOver: false });
    },
  };
}
