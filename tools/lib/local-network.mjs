// Where a phone of the same network finds this machine.
import { networkInterfaces } from 'node:os';

/**
 * The private IPv4 addresses of this machine, those of home networks first. What containers and
 * virtual machines made for themselves is left out, and so is everything that the world can reach.
 */
export function privateAddresses(interfaces = networkInterfaces()) {
  return Object.entries(interfaces)
    .filter(
      ([name]) => !/^(docker|br-|veth|virbr|vmnet|vboxnet|vethernet|lxc|cni|flannel)/i.test(name),
    )
    .flatMap(([, addresses]) => addresses ?? [])
    .filter(({ family, internal, address }) => family === 'IPv4' && !internal && isPrivate(address))
    .map(({ address }) => address)
    .filter((address, at, all) => all.indexOf(address) === at)
    .sort((a, b) => Number(isHome(b)) - Number(isHome(a)));
}

/** Whether a socket's other end, or the name it was asked by, is this very machine. */
export function isLoopback(host) {
  const name = String(host).replace(/^::ffff:/, '');
  return name === 'localhost' || name === '::1' || /^127\.\d+\.\d+\.\d+$/.test(name);
}

function isHome(address) {
  return address.startsWith('192.168.');
}

function isPrivate(address) {
  const [a, b] = address.split('.').map(Number);
  return a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168);
}
