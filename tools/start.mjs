// npm start: a cluster to play with, on this machine. Installs, builds, starts one relay and three
// members, tells how to write to them, and stops all of it on Ctrl-C. Data stay in .quorate/, so a
// second start goes on where the first one ended. Plain Node: nothing has to be installed before.
import { createServer } from 'node:net';
import { mkdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { end, endAllOnSignal, environment, install, run, start } from './lib/run.mjs';
import { root } from './lib/workspace.mjs';

const home = `${root}/.quorate`;
const command = `${root}/packages/quorate/bin/quorate.js`;
const namespace = 'demo';
const host = '127.0.0.1';
const relayPort = 7800;
const members = [
  { label: 'one', directory: `${home}/node-1`, port: 7801 },
  { label: 'two', directory: `${home}/node-2`, port: 7802 },
  { label: 'three', directory: `${home}/node-3`, port: 7803 },
];
const startedWithinMs = 60_000;
const stoppedWithinMs = 10_000;

const running = new Set();
let stopping = false;
let leader;

await prepare();
try {
  const relayAddress = await startRelay();
  const started = await Promise.all(members.map((member) => startMember(member, relayAddress)));
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
  say('Installing what is missing …');
  const installed = await install({ quiet: true });
  if (installed.code !== 0) fail(`Cannot install:\n${installed.output}`);
  say('Building …');
  const built = await run(process.execPath, ['tools/build.mjs', '--no-types'], { quiet: true });
  if (built.code !== 0) fail(`Cannot build:\n${built.output}`);
  mkdirSync(home, { recursive: true });
  abandon();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void stop(0));
  stopWithParents();
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

// The parts ----------------------------------------------------------------------------------------

/** Starts the relay and resolves with an address that members can dial. */
async function startRelay() {
  const port = await freePort(relayPort);
  const data = `${home}/relay`;
  const { event } = await launch('relay', [
    'relay',
    '--init',
    ...['--data', data],
    ...['--listen', `${host}:${port}`],
  ]);
  say(`The relay is up at ${event.addresses[0]} (its data: ${short(data)})`);
  return event.addresses[0];
}

async function startMember({ label, directory, port }, relayAddress) {
  const gatewayPort = await freePort(port);
  const args = [
    'node',
    ...['--namespace', namespace],
    ...['--data', directory],
    ...['--relay', relayAddress],
    ...['--gateway', `${host}:${gatewayPort}`],
    ...['--label', label],
  ];
  const { event, child } = await launch(label, args);
  const gateway = `http://${host}:${gatewayPort}`;
  child.on('exit', (code, signal) => {
    if (stopping) return;
    say(`Member ${label} is gone (${signal ?? `exit ${code}`}). To bring it back:`);
    say(`  npx quorate ${args.map((arg) => short(arg)).join(' ')}`);
  });
  say(`Member ${label} is up: ${gateway} (process ${child.pid}, its data: ${short(directory)})`);
  return { label, gateway, nodeId: event.nodeId, pid: child.pid };
}

/**
 * Starts one `quorate … --json` and resolves with its first event of life. Rejects, with what the
 * process said, when it ends or reports an error before that.
 */
function launch(name, args) {
  return new Promise((resolve, reject) => {
    const child = start(process.execPath, [command, ...args, '--json'], {
      cwd: root,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    let complaint = '';
    const late = setTimeout(
      () => reject(new Error(`${name} did not start within ${startedWithinMs / 1000} s`)),
      startedWithinMs,
    );
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = parse(line);
      if (event === undefined) return;
      if (event.event === 'listening' || event.event === 'started') {
        clearTimeout(late);
        resolve({ event, child });
      }
      if (event.event === 'error') complaint = `${event.code}: ${event.message}`;
      narrate(name, event);
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      complaint ||= text.trim();
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      running.delete(child);
      clearTimeout(late);
      reject(new Error(`Cannot start ${name} (${signal ?? `exit ${code}`}). ${advice(complaint)}`));
    });
  });
}

function advice(complaint) {
  if (complaint.includes('STORAGE_LOCKED')) {
    return `${complaint}\nThis cluster seems to run already: stop the other \`npm start\` first`;
  }
  return complaint;
}

/** Says in plain words what a person wants to see happen. */
function narrate(name, event) {
  if (stopping) return;
  if (event.event === 'role' && event.role === 'leader' && leader !== `${name} ${event.term}`) {
    leader = `${name} ${event.term}`;
    say(`Member ${name} leads now (term ${event.term})`);
  }
  if (event.event === 'error') say(`${name}: ${event.message} (${event.code})`);
}

async function explain(started) {
  const [first, second, third] = started;
  say(`
Three members keep one copy of everything each. Try, in another terminal, in this directory:

  npx quorate put greeting hello --gateway ${first.gateway}
  npx quorate get greeting --gateway ${second.gateway}
  npx quorate watch --prefix "" --gateway ${third.gateway}
  npx quorate status --gateway ${first.gateway}

Kill a member and nothing is lost: kill -9 ${first.pid}
Ctrl-C stops all of it; the data stay in ${short(home)} and the next start finds them.
`);
}

// The end ------------------------------------------------------------------------------------------

/** Members first, so that they can hand leadership over; the relay last. */
async function stop(code) {
  if (stopping) return;
  stopping = true;
  say('\nStopping …');
  const children = [...running];
  const gone = Promise.all(
    children.map((child) => new Promise((resolve) => child.on('exit', resolve))),
  );
  for (const child of children) end(child, 'SIGTERM');
  const late = setTimeout(() => {
    for (const child of running) end(child, 'SIGKILL');
  }, stoppedWithinMs);
  await gone;
  clearTimeout(late);
  say('Everything has stopped.');
  process.exit(code);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

// Helpers ------------------------------------------------------------------------------------------

/** The wanted port, or, when somebody else has it, one that is free. */
async function freePort(wanted) {
  for (const port of [wanted, wanted + 10, wanted + 20, 0]) {
    const found = await tryPort(port);
    if (found === undefined) continue;
    if (found !== wanted) say(`Port ${wanted} is taken: using ${found} instead`);
    return found;
  }
  throw new Error(`Cannot find a free port near ${wanted}`);
}

function tryPort(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, host, () => {
      const found = server.address().port;
      server.close(() => resolve(found));
    });
  });
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function short(path) {
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path;
}

function say(text) {
  console.log(text);
}
