// Applies a fixed log and prints the digest: run under several locales and time zones.
import { KvStateMachine } from '../src/state-machine.ts';
import { command, put, remove } from './commands.ts';

const machine = new KvStateMachine();
for (const key of ['ı', 'I', 'i', 'İ', 'ß', 'ä', 'z', '😀', '\uffff', '10', '9']) {
  const value = { i: 1, I: [1.5, key], ä: null, [key]: 1e21 };
  machine.apply(command({ then: [put(key, value)] }), { index: 1, time: 0 });
}
machine.apply(command({ then: [remove('i')] }), { index: 2, time: 0 });
const keys = [...machine.store.records.all()].map(({ key }) => key);
console.log(JSON.stringify({ digest: machine.digest(), keys, locale: locale() }));

function locale(): string {
  const { locale: name, timeZone } = Intl.DateTimeFormat().resolvedOptions();
  return `${name} ${timeZone}`;
}
