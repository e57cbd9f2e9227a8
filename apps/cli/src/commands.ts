/** Every command: its flags, its help, and where its code is. Code is loaded when it is run. */
import type { Command } from './command.ts';
import type { Flag } from './flags.ts';

const json: Flag = { name: 'json', type: 'boolean', help: 'Print JSON, for programs' };

const insecureFile: Flag = {
  name: 'insecure-file',
  type: 'boolean',
  help: 'Use files of secrets and tokens although others can read them',
};

const publicly: Flag = {
  name: 'public',
  type: 'boolean',
  help: 'Although it is reached from beyond this machine, anybody may read and write it',
};

const gateway: readonly Flag[] = [
  {
    name: 'gateway',
    type: 'list',
    value: 'URL',
    help: "A member's gateway; more than once: tried in turn",
  },
  {
    name: 'gateway-token-file',
    type: 'text',
    value: 'FILE',
    help: 'File with the bearer token, where the gateway asks for one',
  },
  insecureFile,
  {
    name: 'timeout-ms',
    type: 'number',
    help: 'How long to wait for an answer (default 10000)',
  },
  json,
];

/** Of whoever is dialled: a relay, and a member. */
const listening: readonly Flag[] = [
  {
    name: 'origin',
    type: 'list',
    value: 'URL',
    help: 'Pages that may connect, such as https://app.example.com, beside those of this machine',
  },
  {
    name: 'trusted-proxy',
    type: 'list',
    value: 'CIDR',
    help: 'Proxies whose X-Forwarded-For is believed, such as 127.0.0.1 or 10.0.0.0/8',
  },
  {
    name: 'tls-cert',
    type: 'text',
    value: 'FILE',
    help: 'Listen with TLS: the certificate and its issuers, as PEM; read again on SIGHUP',
  },
  { name: 'tls-key', type: 'text', value: 'FILE', help: 'The key of --tls-cert, as PEM' },
];

const example = '--gateway http://127.0.0.1:7801';

export const commands: readonly Command[] = [
  {
    name: 'relay',
    parameters: '',
    summary: 'Run a relay: members meet through it, and it keeps the register of clusters',
    details:
      'Only a relay started once with --init decides who founds a cluster; without, it carries\n' +
      'traffic. It reads nothing: members encrypt. Its key and its register stay in --data.',
    flags: [
      {
        name: 'init',
        type: 'boolean',
        help: 'Once in a relay’s life: make the directory a register; never overwrites one',
      },
      {
        name: 'fresh',
        type: 'boolean',
        help: 'With a new register: no cluster of it can be alive, so take the first claim at once',
      },
      {
        name: 'peer',
        type: 'list',
        value: 'ADDR',
        help: 'Other relays that members are given: --init refuses while one of them has a register',
      },
      {
        name: 'listen',
        type: 'list',
        value: 'ADDR',
        help: 'HOST:PORT or multiaddr to listen on (default 127.0.0.1:7700)',
      },
      {
        name: 'announce',
        type: 'list',
        value: 'ADDR',
        help: 'How others reach it, such as wss://relay.example.com',
      },
      {
        name: 'allow',
        type: 'list',
        value: 'TOPIC',
        help: 'Serve only this namespace, by its `quorate secret topic`; may repeat',
      },
      {
        name: 'allow-file',
        type: 'text',
        value: 'FILE',
        help: 'Serve only the topics of this file, one a line; read again on SIGHUP',
      },
      {
        name: 'limit',
        type: 'list',
        value: 'NAME=NUMBER',
        help: 'What hosts may take of it, such as workPerPeer=800 (docs/OPERATIONS.md); may repeat',
      },
      ...listening,
      {
        name: 'data',
        type: 'text',
        value: 'DIR',
        help: 'Its key and register (default ./quorate-relay)',
      },
      { name: 'ephemeral', type: 'boolean', help: 'Keep nothing: for trying things out' },
      json,
    ],
    examples: [
      'quorate relay --init --fresh --listen 127.0.0.1:7800',
      'quorate relay --listen 127.0.0.1:7800',
    ],
    longRunning: true,
    load: async () => (await import('./commands/relay.ts')).runRelay,
  },
  {
    name: 'node',
    parameters: '',
    summary: 'Run a member of a cluster, with its data in a directory',
    details:
      'The first member of a namespace founds its cluster, later ones join it; start them in any\n' +
      'order. Ctrl-C and SIGTERM hand leadership over and keep the seat: started again with the\n' +
      'same --data it is the same member. `quorate leave` removes a member for good.',
    flags: [
      {
        name: 'namespace',
        type: 'text',
        value: 'N',
        help: 'Which cluster: a-z 0-9 . _ -, at most 64 characters (required)',
      },
      {
        name: 'relay',
        type: 'list',
        value: 'ADDR',
        help: 'ws://host:port, wss://host or multiaddr of a relay (required, may repeat)',
      },
      {
        name: 'data',
        type: 'text',
        value: 'DIR',
        help: 'Where its log and snapshots live (default ./quorate-data)',
      },
      {
        name: 'ephemeral',
        type: 'boolean',
        help: 'Keep everything in memory: a full copy without a vote',
      },
      {
        name: 'secret-file',
        type: 'text',
        value: 'FILE',
        help: 'The secret of the namespace, one a line, the first one is used to seal',
      },
      insecureFile,
      publicly,
      {
        name: 'listen',
        type: 'list',
        value: 'ADDR',
        help: 'HOST:PORT or multiaddr for other members (default: loopback, a port that is kept)',
      },
      {
        name: 'announce',
        type: 'list',
        value: 'ADDR',
        help: 'How others reach it, where that differs from --listen',
      },
      ...listening,
      {
        name: 'gateway',
        type: 'text',
        value: 'HOST:PORT',
        help: 'Serve HTTP there; beyond loopback only with --gateway-token-file',
      },
      {
        name: 'gateway-token-file',
        type: 'text',
        value: 'FILE',
        help: 'Bearer tokens the gateway accepts, one a line, 16 characters or more',
      },
      {
        name: 'gateway-cors',
        type: 'list',
        value: 'ORIGIN',
        help: 'Further origins and host names the gateway serves',
      },
      { name: 'label', type: 'text', value: 'L', help: 'A name for people' },
      {
        name: 'zone',
        type: 'text',
        value: 'Z',
        help: 'Rack, building or region: of three or more, none gets most of the votes',
      },
      {
        name: 'expect',
        type: 'number',
        value: 'N',
        help: 'Of a founder: writes wait until N members with a disk hold the data (default 1)',
      },
      {
        name: 'new',
        type: 'boolean',
        help: 'Found another cluster although members of one are announced: only if it is given up',
      },
      {
        name: 'take-over',
        type: 'boolean',
        help: 'Open data that another machine held and did not close: only if it is gone for good',
      },
      json,
    ],
    examples: [
      'quorate node --namespace demo --relay ws://127.0.0.1:7800 --gateway 127.0.0.1:7801',
      'quorate node --namespace shop --relay wss://relay.example.com --secret-file shop.secret',
    ],
    longRunning: true,
    load: async () => (await import('./commands/node.ts')).runNode,
  },
  {
    name: 'status',
    parameters: '',
    summary: 'Show how a member and its cluster are',
    details: '',
    flags: gateway,
    examples: [`quorate status ${example}`],
    longRunning: false,
    load: async () => (await import('./commands/inspect.ts')).runStatus,
  },
  {
    name: 'members',
    parameters: '',
    summary: 'List the members of the cluster',
    details: '',
    flags: gateway,
    examples: [`quorate members ${example}`],
    longRunning: false,
    load: async () => (await import('./commands/inspect.ts')).runMembers,
  },
  {
    name: 'leave',
    parameters: '',
    summary: 'Remove a member from the cluster for good',
    details:
      'Waits until the removal is committed. To stop a member for a while, stop its process\n' +
      'instead: it keeps its seat. Its data stay where they are, as an archive.',
    flags: [
      {
        name: 'node',
        type: 'text',
        value: 'ID',
        help: 'NodeId of the member, or its beginning (default: the one behind the gateway)',
      },
      ...gateway,
    ],
    examples: [`quorate leave ${example}`, `quorate leave --node 3f9a02c1 ${example}`],
    longRunning: false,
    load: async () => (await import('./commands/inspect.ts')).runLeave,
  },
  {
    name: 'put',
    parameters: 'KEY [VALUE]',
    summary: 'Write a key',
    details:
      'The value is text unless --json-value, where {"$bytes":"<base64>"} stands for bytes.\n' +
      'The value - is what is piped in. Put -- before another value that begins with -.',
    flags: [
      { name: 'file', type: 'text', value: 'FILE', help: 'The value is what FILE holds' },
      { name: 'json-value', type: 'boolean', help: 'VALUE is JSON' },
      { name: 'if-absent', type: 'boolean', help: 'Only if the key does not exist' },
      {
        name: 'if-revision',
        type: 'number',
        help: 'Only if the key was last written at this revision (0: absent)',
      },
      ...gateway,
    ],
    examples: [
      `quorate put greeting hello ${example}`,
      `quorate put limits '{"users":5}' --json-value ${example}`,
      `quorate put page --file index.html ${example}`,
    ],
    longRunning: false,
    load: async () => (await import('./commands/keys.ts')).runPut,
  },
  {
    name: 'get',
    parameters: 'KEY',
    summary: 'Read a key',
    details:
      'Text is printed as it is, anything else as JSON. A key that is not there prints nothing, and\n' +
      'the exit code is 1.',
    flags: [
      { name: 'json-value', type: 'boolean', help: 'Print text as JSON, too' },
      {
        name: 'local',
        type: 'boolean',
        help: 'Answer from this member at once, perhaps behind the cluster',
      },
      ...gateway,
    ],
    examples: [`quorate get greeting ${example}`],
    longRunning: false,
    load: async () => (await import('./commands/keys.ts')).runGet,
  },
  {
    name: 'del',
    parameters: 'KEY',
    summary: 'Delete a key, or all that begin with it',
    details: '',
    flags: [
      { name: 'prefix', type: 'boolean', help: 'KEY is a prefix: delete all that begin with it' },
      {
        name: 'if-revision',
        type: 'number',
        help: 'Only if the key was last written at this revision',
      },
      ...gateway,
    ],
    examples: [`quorate del greeting ${example}`, `quorate del --prefix jobs/ ${example}`],
    longRunning: false,
    load: async () => (await import('./commands/keys.ts')).runDelete,
  },
  {
    name: 'range',
    parameters: '[START [END]]',
    summary: 'List keys in order',
    details:
      'Without START: every key. START alone: that key; with --prefix all that begin with it.\n' +
      'START and END: from START up to, but not including, END.',
    flags: [
      { name: 'prefix', type: 'boolean', help: 'START is a prefix' },
      { name: 'limit', type: 'number', help: 'At most this many keys' },
      { name: 'keys-only', type: 'boolean', help: 'Without values' },
      { name: 'json-value', type: 'boolean', help: 'Print text as JSON, too' },
      {
        name: 'local',
        type: 'boolean',
        help: 'Answer from this member at once, perhaps behind the cluster',
      },
      ...gateway,
    ],
    examples: [`quorate range --prefix jobs/ ${example}`],
    longRunning: false,
    load: async () => (await import('./commands/keys.ts')).runRange,
  },
  {
    name: 'watch',
    parameters: '[KEY]',
    summary: 'Follow changes until Ctrl-C',
    details:
      'Without KEY: every key. Goes on by itself when members come and go, without a gap and\n' +
      'without repeating anything.',
    flags: [
      { name: 'prefix', type: 'boolean', help: 'KEY is a prefix' },
      { name: 'from', type: 'number', value: 'REVISION', help: 'Begin with this revision' },
      { name: 'initial', type: 'boolean', help: 'Begin with what is there now' },
      { name: 'json-value', type: 'boolean', help: 'Print text as JSON, too' },
      ...gateway,
    ],
    examples: [`quorate watch --prefix jobs/ ${example}`],
    longRunning: false,
    load: async () => (await import('./commands/keys.ts')).runWatch,
  },
  {
    name: 'backup',
    parameters: 'FILE',
    summary: 'Write one consistent state of the cluster to a file',
    details:
      'One state at one revision, taken through the log of a running cluster, or from the directory\n' +
      'of a member that does not run. FILE appears whole or not at all; - is stdout.',
    flags: [
      {
        name: 'data',
        type: 'text',
        value: 'DIR',
        help: 'Data directory of a stopped member, in place of --gateway',
      },
      {
        name: 'namespace',
        type: 'text',
        value: 'N',
        help: 'Which one, where DIR holds several',
      },
      {
        name: 'archive',
        type: 'text',
        value: 'NAME',
        help: 'What DIR keeps under that name in its archive, in place of the replica',
      },
      ...gateway,
    ],
    examples: [`quorate backup shop.backup ${example}`],
    longRunning: false,
    load: async () => (await import('./commands/backup.ts')).runBackup,
  },
  {
    name: 'restore',
    parameters: 'FILE',
    summary: 'Found a new cluster from a backup, in place of a lost one',
    details:
      'Shows what the backup is and asks. The new cluster has ids of its own and revisions above all of\n' +
      'before; members and pages of the lost one keep their data as an archive and join it as new.\n' +
      'Refused while members or pages of the namespace run. `quorate node` then starts it.',
    flags: [
      {
        name: 'data',
        type: 'text',
        value: 'DIR',
        help: 'Where the new member will live; nothing of the namespace may be there (required)',
      },
      {
        name: 'relay',
        type: 'list',
        value: 'ADDR',
        help: 'Relays of the namespace; without any the cluster is an isolated one',
      },
      {
        name: 'secret-file',
        type: 'text',
        value: 'FILE',
        help: 'The secret of the namespace, as for quorate node',
      },
      insecureFile,
      publicly,
      {
        name: 'namespace',
        type: 'text',
        value: 'N',
        help: "The backup's namespace; a backup of another one is refused",
      },
      {
        name: 'replace',
        type: 'text',
        value: 'CLUSTER',
        help: 'The cluster that is given up: the first 8 digits of its id',
      },
      {
        name: 'above',
        type: 'number',
        value: 'REVISION',
        help: 'The highest revision ever seen, where no register tells',
      },
      { name: 'label', type: 'text', value: 'L', help: 'A name for people' },
      { name: 'zone', type: 'text', value: 'Z', help: 'Rack, building or region' },
      { name: 'yes', type: 'boolean', help: 'Do not ask' },
      json,
    ],
    examples: [
      'quorate restore shop.backup --data ./two --relay ws://127.0.0.1:7800 --replace 3f9a02c1',
    ],
    longRunning: false,
    load: async () => (await import('./commands/restore.ts')).runRestore,
  },
  {
    name: 'export',
    parameters: 'FILE',
    summary: 'Write all keys and values to a file, as lines of JSON',
    details:
      'One {"key":…,"value":…} a line, in key order, all at one revision. FILE appears whole or not at\n' +
      'all; - is stdout. Revisions, and keys that begin with ~, are only in a backup.',
    flags: [
      { name: 'prefix', type: 'text', value: 'P', help: 'Only keys that begin with it' },
      ...gateway,
    ],
    examples: [`quorate export shop.jsonl ${example}`],
    longRunning: false,
    load: async () => (await import('./commands/export.ts')).runExport,
  },
  {
    name: 'import',
    parameters: 'FILE',
    summary: 'Put the keys of an export',
    details:
      'Every line is looked at before the first is written; keys that begin with ~ are refused. To\n' +
      'import a file again is harmless. - is stdin.',
    flags: gateway,
    examples: [`quorate import shop.jsonl ${example}`],
    longRunning: false,
    load: async () => (await import('./commands/import.ts')).runImport,
  },
  {
    name: 'register',
    parameters: 'show|restore|complete|release [TOPIC]',
    summary: 'Look at what a relay’s register says of a namespace, write it back, or give it up',
    details:
      'show     what it holds and who is announced: through a member’s --gateway, or with --relay,\n' +
      '         --namespace and --secret-file from anywhere\n' +
      'restore  at a member’s --gateway: writes its cluster into a register that has forgotten it\n' +
      'complete at the relay’s own machine, with its --data: nothing is missing in a register that was\n' +
      '         put back to an earlier state\n' +
      'release  at the relay’s own machine, with its --data: takes a namespace out of the register,\n' +
      '         so that whoever comes next founds; typed by TOPIC, or by --namespace and\n' +
      '         --secret-file; --force TOPIC while hosts of it are announced',
    flags: [
      ...gateway,
      { name: 'relay', type: 'list', value: 'ADDR', help: 'Ask this relay, without a member' },
      { name: 'namespace', type: 'text', value: 'N', help: 'With --relay, or in place of TOPIC' },
      {
        name: 'secret-file',
        type: 'text',
        value: 'FILE',
        help: 'The secret of the namespace (default: it is public)',
      },
      {
        name: 'data',
        type: 'text',
        value: 'DIR',
        help: 'Of release and complete: the relay’s directory',
      },
      {
        name: 'force',
        type: 'text',
        value: 'TOPIC',
        help: 'Of release: although hosts of it are announced, typed once more',
      },
    ],
    examples: [
      `quorate register show ${example}`,
      `quorate register restore ${example}`,
      'quorate register release --namespace shop --secret-file shop.secret --data /var/lib/relay',
    ],
    longRunning: false,
    load: async () => (await import('./commands/register.ts')).runRegister,
  },
  {
    name: 'doctor',
    parameters: '',
    summary: 'Decide for one of two copies of a member, where both were refused',
    details:
      'A member that was restored from a backup, or copied, is refused by the others and marked: it\n' +
      'does not start again by itself. If it is the one to keep, stop the other one for good and run\n' +
      'this where its data are. What only the other one had acknowledged may be lost.',
    flags: [
      {
        name: 'keep-this',
        type: 'text',
        value: 'DIR',
        help: 'The --data of the member to keep, which must not be running',
      },
      { name: 'yes', type: 'boolean', help: 'Do not ask' },
      json,
    ],
    examples: ['quorate doctor --keep-this ./quorate-data'],
    longRunning: false,
    load: async () => (await import('./commands/doctor.ts')).runDoctor,
  },
  {
    name: 'secret',
    parameters: 'generate|topic',
    summary: 'Make a new secret for a namespace, or show by which name relays know one',
    details:
      'generate  whoever holds it can join the namespace, and read and write everything in it\n' +
      'topic     the topic that follows from --namespace and --secret-file, one a line for each secret\n' +
      '          of the file: what `quorate relay --allow` takes. It gives nothing of the secret away',
    flags: [
      {
        name: 'out',
        type: 'text',
        value: 'FILE',
        help: 'Of generate: write it to a new file that only its owner can read',
      },
      { name: 'namespace', type: 'text', value: 'N', help: 'Of topic: the namespace' },
      {
        name: 'secret-file',
        type: 'text',
        value: 'FILE',
        help: 'Of topic: its secret (default: it is public)',
      },
      insecureFile,
      json,
    ],
    examples: [
      'quorate secret generate --out shop.secret',
      'quorate secret topic --namespace shop --secret-file shop.secret',
    ],
    longRunning: false,
    load: async () => (await import('./commands/secret.ts')).runSecret,
  },
];
