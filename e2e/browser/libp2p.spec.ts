/** Links of real pages over libp2p: of which kind they are, and what becomes of them. */
import { expect } from '@playwright/test';
import type { BrowserContext, Page } from '@playwright/test';
import { test } from './libp2p-page.ts';
import type { World } from './libp2p-page.ts';

type PageOptions = {
  readonly direct?: boolean;
  readonly before?: () => void;
  /** How long a first link waits for WebRTC; patient, since this machine has other things to do. */
  readonly webRtcTimeoutMs?: number;
};

/** A page with a host that links with everybody of its namespace. */
async function openHost(
  context: BrowserContext,
  origin: string,
  world: World,
  namespace: string,
  { direct, before, webRtcTimeoutMs = 4_000 }: PageOptions = {},
): Promise<Page & { readonly host: string }> {
  const page = await context.newPage();
  if (before !== undefined) await page.addInitScript(before);
  await page.goto(origin);
  const options = {
    relays: [world.relay],
    timing: { webRtcTimeoutMs },
    ...(direct === undefined ? {} : { direct }),
  };
  const host = await page.evaluate(
    async (given) => globalThis.quorateLibp2p.page.start(given.namespace, given.options),
    { namespace, options },
  );
  return Object.assign(page, { host });
}

async function kindsOf(page: Page): Promise<readonly string[]> {
  return page.evaluate(() => globalThis.quorateLibp2p.page.links.map(({ kind }) => kind));
}

async function eventsOf(page: Page): Promise<readonly string[]> {
  return page.evaluate(() => globalThis.quorateLibp2p.page.events);
}

async function receivedBy(page: Page): Promise<number> {
  return page.evaluate(() => globalThis.quorateLibp2p.page.received);
}

/** A network whose WebRTC can be switched off and on: candidates never come, sent bytes are lost. */
function breakableWebRtc(): void {
  const state = globalThis as unknown as { webRtcIsBroken: boolean };
  const lose = (prototype: object, name: string): void => {
    const original = Reflect.get(prototype, name) as (...values: unknown[]) => unknown;
    Reflect.set(prototype, name, function lost(this: unknown, ...values: unknown[]): unknown {
      return state.webRtcIsBroken ? undefined : Reflect.apply(original, this, values);
    });
  };
  lose(RTCPeerConnection.prototype, 'addIceCandidate');
  lose(RTCDataChannel.prototype, 'send');
}

async function setBroken(pages: readonly Page[], broken: boolean): Promise<void> {
  for (const page of pages) {
    await page.evaluate((value) => {
      (globalThis as unknown as { webRtcIsBroken: boolean }).webRtcIsBroken = value;
    }, broken);
  }
}

test('B12 three tabs link by WebRTC, one side of each pair dials, and frames pass', async ({
  context,
  origin,
  world,
}) => {
  const pages: Page[] = [];
  for (let count = 0; count < 3; count += 1) {
    pages.push(await openHost(context, origin, world, 'three'));
  }
  for (const page of pages) await expect.poll(() => kindsOf(page)).toEqual(['webrtc', 'webrtc']);
  const initiated = await Promise.all(
    pages.map(async (page) =>
      page.evaluate(
        () => globalThis.quorateLibp2p.page.links.filter((link) => link.initiator).length,
      ),
    ),
  );
  expect(initiated.reduce((sum, count) => sum + count)).toBe(3);
  for (let sent = 0; sent < 5; sent += 1) {
    await pages[0]?.evaluate(() => globalThis.quorateLibp2p.page.send(300_000));
  }
  for (const page of pages.slice(1)) await expect.poll(() => receivedBy(page)).toBe(1_500_000);
});

test('B11 tabs without WebRTC, switched off or absent, link through the relay', async ({
  context,
  origin,
  world,
}) => {
  const off = await openHost(context, origin, world, 'without', { direct: false });
  const absent = await openHost(context, origin, world, 'without', {
    before: () => {
      Reflect.deleteProperty(globalThis, 'RTCPeerConnection');
    },
  });
  const able = await openHost(context, origin, world, 'without');
  for (const page of [off, absent, able]) {
    await expect.poll(() => kindsOf(page)).toEqual(['relayed', 'relayed']);
  }
  await able.evaluate(() => globalThis.quorateLibp2p.page.send(400_000));
  for (const page of [off, absent]) await expect.poll(() => receivedBy(page)).toBe(400_000);
});

test('B11 where WebRTC leads nowhere the relay carries, until it leads somewhere', async ({
  context,
  origin,
  world,
}) => {
  const broken = (): void => {
    (globalThis as unknown as { webRtcIsBroken: boolean }).webRtcIsBroken = true;
  };
  await context.addInitScript(broken);
  await context.addInitScript(breakableWebRtc);
  const pages = [
    await openHost(context, origin, world, 'blocked', { webRtcTimeoutMs: 1_500 }),
    await openHost(context, origin, world, 'blocked', { webRtcTimeoutMs: 1_500 }),
  ];
  for (const page of pages) await expect.poll(() => kindsOf(page)).toEqual(['relayed']);
  await setBroken(pages, false);
  for (const page of pages) {
    await expect.poll(() => kindsOf(page), { timeout: 30_000 }).toEqual(['webrtc']);
  }
});

test('a WebRTC link whose path dies is replaced by a relayed one, and comes back', async ({
  context,
  origin,
  world,
}) => {
  await context.addInitScript(breakableWebRtc);
  const pages = [
    await openHost(context, origin, world, 'dying'),
    await openHost(context, origin, world, 'dying'),
  ];
  for (const page of pages) await expect.poll(() => kindsOf(page)).toEqual(['webrtc']);
  await setBroken(pages, true);
  for (const page of pages) {
    await expect.poll(() => kindsOf(page), { timeout: 20_000 }).toEqual(['relayed']);
  }
  // The one that notices first closes, and the other one hears it.
  const events = await Promise.all(pages.map(eventsOf));
  expect(events.flat()).toContain('down webrtc silent');
  await setBroken(pages, false);
  for (const page of pages) {
    await expect.poll(() => kindsOf(page), { timeout: 40_000 }).toEqual(['webrtc']);
  }
});

test('B2 a tab that is closed takes its links down', async ({ context, origin, world }) => {
  const page = await openHost(context, origin, world, 'closing');
  const other = await openHost(context, origin, world, 'closing');
  await expect.poll(() => kindsOf(page)).toEqual(['webrtc']);
  await other.close();
  await expect.poll(() => kindsOf(page), { timeout: 20_000 }).toEqual([]);
});

test('Z6 B2 a page that is left hands over what it sent last, and its links go down', async ({
  context,
  origin,
  world,
}) => {
  const page = await openHost(context, origin, world, 'left');
  const other = await openHost(context, origin, world, 'left');
  await expect.poll(() => kindsOf(page)).toEqual(['webrtc']);
  await expect.poll(() => kindsOf(other)).toEqual(['webrtc']);
  await other.evaluate(() => globalThis.quorateLibp2p.page.closeOnPagehide());
  await other.goto('about:blank');
  await expect.poll(() => kindsOf(page), { timeout: 20_000 }).toEqual([]);
  // The goodbye comes behind the frames: who heard it heard them. Else the silence tells.
  const down = (await eventsOf(page)).at(-1) ?? '';
  expect(['down webrtc closed', 'down webrtc silent', 'down webrtc ended']).toContain(down);
  if (down === 'down webrtc closed') expect(await receivedBy(page)).toBe(3);
});

test('F15 a relay that dies leaves running links alone; back again, it lets new tabs in', async ({
  context,
  origin,
  world,
}) => {
  const a = await openHost(context, origin, world, 'relay dies');
  const b = await openHost(context, origin, world, 'relay dies');
  for (const page of [a, b]) await expect.poll(() => kindsOf(page)).toEqual(['webrtc']);
  await world.stopRelay();
  // Longer than anything that could still hold a link up.
  await a.waitForTimeout(6_000);
  await a.evaluate(() => globalThis.quorateLibp2p.page.send(200_000));
  await expect.poll(() => receivedBy(b)).toBe(200_000);
  for (const page of [a, b]) expect(await eventsOf(page)).toEqual(['up webrtc']);
  await world.startRelay();
  const c = await openHost(context, origin, world, 'relay dies');
  await expect.poll(() => kindsOf(c), { timeout: 30_000 }).toEqual(['webrtc', 'webrtc']);
  for (const page of [a, b]) {
    await expect.poll(() => kindsOf(page)).toEqual(['webrtc', 'webrtc']);
    expect(await eventsOf(page)).toEqual(['up webrtc', 'up webrtc']);
  }
});

test('fifty dials between two tabs each end in a WebRTC link', async ({
  context,
  origin,
  world,
}) => {
  test.setTimeout(120_000);
  const a = await openHost(context, origin, world, 'dials');
  const b = await openHost(context, origin, world, 'dials');
  await expect.poll(() => kindsOf(a)).toEqual(['webrtc']);
  const dials: { readonly ms: number; readonly kind: string }[] = [];
  for (let count = 0; count < 50; count += 1) {
    dials.push(await a.evaluate((host) => globalThis.quorateLibp2p.page.redial(host), b.host));
  }
  const sorted = dials.map(({ ms }) => ms).sort((one, other) => one - other);
  const at = (share: number): string => `${Math.round(sorted[Math.floor(share * 49)] ?? 0)} ms`;
  console.log(`50 dials: p50 ${at(0.5)}, p90 ${at(0.9)}, slowest ${at(1)}`);
  expect(dials.filter(({ kind }) => kind !== 'webrtc')).toEqual([]);
});
