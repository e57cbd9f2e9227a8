// npm start: a cluster to play with, on this machine. Installs, builds, starts one relay and three
// members, serves a page that joins them, and stops all of it on Ctrl-C. Data stay in .quorate/, so a
// second start goes on where the first one ended. Plain Node: nothing has to be installed before.
//
// The page and the relay answer other devices of the local network too; the members' gateways, and
// the buttons that kill members, this machine alone.
//
//   --local           nobody but this machine
//   --address IP      other devices find this machine at IP (may repeat); default: its private addresses
//   --data DIR        keep the data elsewhere
//   --port N          serve the page at another port
//   --built           take what is installed and built as it is
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildPage, servePage } from './lib/demo-page.mjs';
import { command, Fleet } from './lib/fleet.mjs';
import { isLoopback, privateAddresses } from './lib/local-network.mjs';
import { endAllOnSignal, install, run } from './lib/run.mjs';
import { root } from './lib/workspace.mjs';

const usage = `npm start -- [FLAGS]: a cluster to play with, on this machine

  --local           nobody but this machine
  --address IP      other devices find this machine at IP (may repeat)
  --data DIR        keep the data elsewhere (default .quorate)
  --port N          serve the page at another port (default 7777)
  --built           take what is installed and built as it is
`;

const flags = readFlags({
  data: { type: 'string', default: `${root}/.quorate` },
  port: { type: 'string', default: '7777' },
  built: { type: 'boolean', default: false },
  local: { type: 'boolean', default: false },
  address: { type: 'string', multiple: true },
  help: { type: 'boolean', short: 'h', default: false },
});
const home = resolve(flags.data);
const namespace = 'demo';
const secretFile = `${home}/secret`;
const host = '127.0.0.1';
/** Where other devices find this machine. */
const others = flags.local ? [] : (flags.address ?? privateAddresses());
const relayPort = 7800;
const members = [
  { label: 'node-1', directory: `${home}/node-1`, port: 7801 },
  { label: 'node-2', directory: `${home}/node-2`, port: 7802 },
  { label: 'node-3', directory: `${home}/node-3`, port: 7803 },
];

const fleet = new Fleet(narrate);
let page = null;
let stopping = false;
let leader;

/** What stands behind `npm start --`; ends here for --help, and for what nobody knows. */
function readFlags(options) {
  try {
    const { values } = parseArgs({ options });
    if (!values.help) return values;
    process.stdout.write(usage);
  } catch (error) {
    process.stderr.write(`npm start: ${error.message}\n\n${usage}`);
    process.exit(2);
  }
  return process.exit(0);
}

await prepare();
try {
  const secret = takeSecret();
  const files = await buildPage();
  const relayAt = await startRelay();
  const started = await Promise.all(members.map((member) => startMember(member, relayAt(host))));
  page = await servePage({
    files,
    port: await freePort(Number(flags.port), [host, ...others]),
    others,
    network: { namespace, secret },
    relaysFor: (name) => [relayAt(isLoopback(name) ? host : name)],
    processes: fleet.switches(
      Object.fromEntries(started.map(({ label, gateway }) => [label, gateway])),
    ),
  });
  await explain(started);
} catch (error) {
  if (!stopping) {
    console.error(`\n${error.message}`);
    await stop(1);
  }
}

async function prepare() {
  // Until something runs that deserves a gentle end, a signal simply ends everything.
  const abandon = endAllOnSignal();
  if (!flags.built) await build();
  mkdirSync(home, { recursive: true });
  abandon();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void stop(0));
  stopWithParents();
}

async function build() {
  say('Installing what is missing …');
  const installed = await install({ quiet: true });
  if (installed.code !== 0) fail(`Cannot install:\n${installed.output}`);
  say('Building …');
  const built = await run(process.execPath, ['tools/build.mjs', '--no-types'], { quiet: true });
  if (built.code !== 0) fail(`Cannot build:\n${built.output}`);
}

// npm runs this through a shell. Whichever of the two dies without passing a signal on: stop too.
function stopWithParents() {
  const before = parents();
  setInterval(() => {
    if (parents() !== before) void stop(0);
  }, 1_000).unref();
}

function parents() {
  try {
    const [, grandparent] = /\) \S (\d+)/.exec(readFileSync(`/proc/${process.ppid}/stat`, 'utf8'));
    return `${process.ppid} ${grandparent}`;
  } catch {
    return `${process.ppid}`;
  }
}

/**
 * The secret of this cluster, which the page hands to whoever opens it: made at the first start and
 * kept. A page of another site that gets as far as the relay cannot join without it.
 */
function takeSecret() {
  if (!existsSync(secretFile)) {
    // Without a secret a cluster stays what it was founded as.
    if (existsSync(`${home}/relay`)) {
      say(`The cluster in ${short(home)} has no secret: remove that directory for one that has.`);
      return 'public';
    }
    execFileSync(process.execPath, [command, 'secret', 'generate', '--out', secretFile]);
  }
  return readFileSync(secretFile, 'utf8').trim();
}

// The parts ----------------------------------------------------------------------------------------

/** Starts the relay and resolves with its addresses, by the host that one would dial. */
async function startRelay() {
  const port = await freePort(relayPort, [host, ...others]);
  const data = `${home}/relay`;
  const event = await fleet.start('relay', [
    'relay',
    '--init',
    '--fresh',
    ...['--data', data],
    ...[host, ...others].flatMap((one) => ['--listen', `${one}:${port}`]),
  ]);
  return (name) => {
    const address = event.addresses.find((one) => one.startsWith(`/ip4/${name}/`));
    if (address === undefined) throw new Error(`The relay does not listen on ${name}`);
    return address;
  };
}

async function startMember({ label, directory, port }, relayAddress) {
  const gatewayPort = await freePort(port, [host]);
  await fleet.start(label, [
    'node',
    ...['--namespace', namespace],
    ...(existsSync(secretFile) ? ['--secret-file', secretFile] : []),
    ...['--data', directory],
    ...['--relay', relayAddress],
    ...['--gateway', `${host}:${gatewayPort}`],
    ...['--label', label],
  ]);
  return { label, gateway: `http://${host}:${gatewayPort}`, directory };
}

/** Says in plain words what a person wants to see happen. */
function narrate(name, event) {
  if (stopping) return;
  if (event.event === 'role' && event.role === 'leader' && leader !== `${name} ${event.term}`) {
    leader = `${name} ${event.term}`;
    say(`Member ${name} leads now (term ${event.term})`);
  }
  if (event.event === 'error') say(`${name}: ${event.message} (${event.code})`);
  if (event.event === 'killed') say(`Member ${name} was killed from the page`);
  if (event.event === 'gone') {
    say(`Member ${name} is gone (${event.how}): the page has a button that starts it again`);
  }
}

async function explain(started) {
  const [first, second, third] = started;
  const lines = started.map(
    ({ label, gateway, directory }) =>
      `  ${label.padEnd(6)} ${gateway}  process ${fleet.pidOf(label)}, data in ${short(directory)}`,
  );
  say(`
Open ${page.url}
${await explainOthers()}
Open it in several tabs: they are one cluster by themselves, and another one together with these
three members, which you can kill and start again from the page.

${lines.join('\n')}

Or from another terminal, in this directory:

  npx quorate put greeting hello --gateway ${first.gateway}
  npx quorate get greeting --gateway ${second.gateway}
  npx quorate watch --prefix "" --gateway ${third.gateway}
  npx quorate status --gateway ${first.gateway}

Ctrl-C stops all of it; the data stay in ${short(home)} and the next start finds them.
`);
}

/** How a phone gets there, and who else does. */
async function explainOthers() {
  if (flags.local) return '';
  const [first, ...more] = page.urls;
  if (first === undefined) {
    return 'This machine has no address in a private network: no phone can open the page.\n';
  }
  const also = more.length === 0 ? '' : `\n(or, by its other networks, ${more.join(', ')})`;
  const { renderUnicodeCompact } = await import('uqr');
  const code = process.stdout.isTTY ? `\n\n${renderUnicodeCompact(first, { border: 2 })}` : '';
  return `On a phone of this network: ${first}${also}${code}

Whoever is in this network can open it, read and write; \`npm start -- --local\` keeps it to this
machine. Only this machine can kill members.
`;
}

// The end ------------------------------------------------------------------------------------------

async function stop(code) {
  if (stopping) return;
  stopping = true;
  say('\nStopping …');
  await page?.close();
  await fleet.stop();
  say('Everything has stopped.');
  process.exit(code);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

// Helpers ------------------------------------------------------------------------------------------

/** The wanted port, or, when somebody else has it on one of `hosts`, one that is free. */
async function freePort(wanted, hosts) {
  for (const port of [wanted, wanted + 10, wanted + 20, 0]) {
    const found = await tryPorts(port, hosts);
    if (found === undefined) continue;
    if (found !== wanted && wanted !== 0) say(`Port ${wanted} is taken: using ${found} instead`);
    return found;
  }
  throw new Error(`Cannot find a free port near ${wanted}`);
}

async function tryPorts(port, hosts) {
  let found = port;
  for (const one of hosts) {
    found = await tryPort(found, one);
    if (found === undefined) return undefined;
  }
  return found;
}

function tryPort(port, at) {
  return new Promise((settle) => {
    const server = createServer();
    server.once('error', () => settle(undefined));
    server.listen(port, at, () => {
      const found = server.address().port;
      server.close(() => settle(found));
    });
  });
}

function short(path) {
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path;
}

function say(text) {
  console.log(text);
}
