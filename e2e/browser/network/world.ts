/** Pages and processes in one cluster: a relay, Node members, browser profiles with tabs. */
import { expect } from '@playwright/test';
import type { Browser } from '@playwright/test';
import { writeFile } from 'node:fs/promises';
import { quorateJson } from '../../src/command.ts';
import { demand, entries } from '../../src/gateway.ts';
import type { Found } from '../../src/tab-history.ts';
import { freePort, RelaySeat, World as Processes } from '../../src/world.ts';
import type { MemberSeat } from '../../src/world.ts';
import type { Status } from '../cluster/app.ts';
import { ContainedProfile } from '../cluster/profile.ts';
import type { Profile } from '../cluster/profile.ts';
import type { Site } from '../cluster/site.ts';
import { patience } from '../cluster/tab.ts';
import type { Tab } from '../cluster/tab.ts';
import { World } from '../cluster/world.ts';
import { Gate } from './gate.ts';

/** By which way a member is linked to others, by their labels; null: by none. */
export type Links = Readonly<Record<string, string | null>>;

export type NetworkOptions = {
  readonly profile: Profile;
  readonly site: Site;
  readonly namespace: string;
  /** Browsers reach processes through a gate that can be cut. */
  readonly gated: boolean;
};

type Parts = NetworkOptions & {
  readonly processes: Processes;
  readonly relay: RelaySeat;
  readonly relayAddress: string;
  readonly gate: Gate;
  readonly secret: Secret;
};

/** What members share: the text, and a file with it. */
type Secret = { readonly text: string; readonly file: string };

export class NetworkWorld extends World {
  readonly processes: Processes;
  readonly relay: RelaySeat;
  readonly gate: Gate;
  readonly secret: Secret;
  members: readonly MemberSeat[] = [];
  readonly #parts: Parts;
  readonly #guests: Browser[] = [];

  private constructor(parts: Parts) {
    const { profile, site, namespace, relayAddress, secret } = parts;
    super(profile, site, { namespace, relay: relayAddress, secret: secret.text });
    this.processes = parts.processes;
    this.relay = parts.relay;
    this.gate = parts.gate;
    this.secret = secret;
    this.#parts = parts;
  }

  /** With a relay that runs, and nobody else yet. */
  static async open(options: NetworkOptions): Promise<NetworkWorld> {
    const processes = await Processes.create();
    const gate = new Gate();
    const port = await freePort();
    const front = options.gated ? await gate.before(port) : port;
    const relayAddress = `ws://127.0.0.1:${front}`;
    const relay = new RelaySeat(processes, 'relay', port, [
      '--init',
      '--fresh',
      '--announce',
      relayAddress,
    ]);
    const [secret] = await Promise.all([newSecret(processes), relay.start()]);
    return new NetworkWorld({ ...options, processes, relay, relayAddress, gate, secret });
  }

  /** Starts Node members `a`, `b`, …; resolves when all of them vote. */
  async startMembers(count: number): Promise<readonly MemberSeat[]> {
    const { namespace } = this.#parts;
    const secretFile = this.secret.file;
    const members: MemberSeat[] = [];
    for (const label of [...'abcde'].slice(0, count)) {
      const flags = await this.#flags();
      members.push(
        await this.processes.member(label, this.relay, { namespace, secretFile, flags }),
      );
    }
    await Promise.all(members.map((member) => member.start()));
    await this.processes.voters(members);
    this.members = members;
    return members;
  }

  /** Another profile of this browser. */
  async another(): Promise<Profile> {
    const browser = this.profile.context.browser();
    if (browser === null) throw new Error('Cannot add a profile: this browser has one only');
    return this.addProfile(new ContainedProfile(browser));
  }

  /** A profile of another browser, which ends with the world. */
  async guest(browser: Browser): Promise<Profile> {
    this.#guests.push(browser);
    return this.addProfile(new ContainedProfile(browser));
  }

  /** Opens tabs of the profiles, one each, and resolves when all of them take writes. */
  async openIn(...profiles: readonly Profile[]): Promise<Tab[]> {
    const tabs: Tab[] = [];
    for (const profile of profiles) tabs.push(await this.openTab(undefined, { profile }));
    for (const tab of tabs) await tab.untilReady();
    return tabs;
  }

  /** Resolves once the tab is linked to these members in these ways, whatever else there is. */
  async untilLinks(tab: Tab, wanted: Links): Promise<void> {
    const look = async (): Promise<Links> => linksOf(await tab.status());
    await expect
      .poll(look, { ...patience, message: `the links of ${tab.label}` })
      .toMatchObject(wanted);
  }

  /** Resolves once all open tabs count exactly these voters, by label. */
  async untilLabelsVote(...labels: readonly string[]): Promise<void> {
    for (const tab of this.open) {
      const look = async (): Promise<string[]> => {
        const { members } = await tab.status();
        const voters = members.filter(({ kind }) => kind === 'voter');
        return voters.map(({ label }) => label).sort();
      };
      await expect
        .poll(look, { ...patience, message: `the voters that ${tab.label} sees` })
        .toEqual([...labels].sort());
    }
  }

  /** What Node members hold is what tabs hold, too. */
  override async verify(among?: readonly Tab[]): Promise<Found> {
    const found = await super.verify(among);
    const up = this.members.filter((member) => member.isRunning);
    for (const { gateway } of up) {
      const { kv } = await demand<{ kv: { value: unknown } | null }>(gateway, 'get', {
        key: 'total',
      });
      expect(Number(kv?.value ?? 0)).toBe(found.total);
      const marks = await entries(gateway, 'mark/', 'local');
      expect(marks.map(({ key }) => key).sort()).toEqual(found.marks.map(({ key }) => key).sort());
    }
    expect(this.processes.oddities()).toEqual([]);
    return found;
  }

  override otherLogs(): Readonly<Record<string, readonly string[]>> {
    return { ...super.otherLogs(), processes: this.processes.tails().split(/\n(?=\S)/) };
  }

  override async dispose(): Promise<void> {
    await super.dispose();
    for (const browser of this.#guests) await browser.close();
    this.gate.close();
    await this.processes.dispose();
  }

  /** Browsers say aloud when a server cannot be reached, and here servers are killed. */
  protected override isExpected(text: string): boolean {
    return /WebSocket|establish a connection to the server|connection to ws:/.test(text);
  }

  async #flags(): Promise<readonly string[]> {
    if (!this.#parts.gated) return [];
    const port = await freePort();
    const front = await this.gate.before(port);
    return ['--listen', `127.0.0.1:${port}`, '--announce', `127.0.0.1:${front}`];
  }
}

export function linksOf({ members }: Status): Links {
  return Object.fromEntries(
    members.filter(({ self }) => !self).map(({ label, link }) => [label, link]),
  );
}

export async function newSecret(processes: Processes, name = 'right'): Promise<Secret> {
  const { secret: text } = await quorateJson<{ secret: string }>(['secret', 'generate']);
  const file = processes.path(`${name}.secret`);
  await writeFile(file, `${text}\n`, { mode: 0o600 });
  return { text, file };
}
