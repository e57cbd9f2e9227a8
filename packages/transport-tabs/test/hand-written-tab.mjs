// A tab in a thread of its own, written by hand from the protocol in src/messages.ts: it takes up a
// link, answers pings, sends back what arrives, and knows nothing of the code under test.
import { parentPort, workerData } from 'node:worker_threads';
/* global BroadcastChannel */

const { topic, host } = workerData;
const door = new BroadcastChannel(`quorate ${topic} host ${host}`);
door.onmessage = ({ data: { link } }) => {
  const wire = new BroadcastChannel(`quorate ${topic} link ${link}`);
  wire.onmessage = ({ data }) => {
    if (data.type === 'ping') wire.postMessage({ type: 'pong', number: data.number });
    if (data.type !== 'frames') return;
    const bytes = data.frames.reduce((sum, { length }) => sum + length, 0);
    wire.postMessage({ type: 'credit', channel: data.channel, bytes });
    wire.postMessage(data);
  };
  wire.postMessage({ type: 'accept', lock: null });
};
parentPort.postMessage('listening');
