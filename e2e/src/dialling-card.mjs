/**
 * Loaded into a process before its program: connections to the ports of a switchboard begin with a
 * line that says who dials. What the program sends is untouched.
 */
import { Socket } from 'node:net';

const name = process.env['E2E_DIALLER'] ?? '';
const ports = new Set((process.env['E2E_SWITCHBOARD'] ?? '').split(',').map(Number));

const connect = Socket.prototype.connect;

/** @param {unknown[]} args as Node normalizes them, or as anybody may call it */
Socket.prototype.connect = function (...args) {
  const first = Array.isArray(args[0]) ? args[0][0] : args[0];
  const port = Number(typeof first === 'object' ? first?.port : first);
  const socket = Reflect.apply(connect, this, args);
  if (ports.has(port)) this.write(`${name}\n`);
  return socket;
};
