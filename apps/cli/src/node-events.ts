/** What happens to a member, as lines: events in JSON for programs, sentences for people. */
import type { ClusterStatus } from '@quorate/cluster';
import { shortId } from './output.ts';
import type { Output } from './output.ts';

export type Started = {
  readonly nodeId: string;
  readonly peerId: string;
  readonly addresses: readonly string[];
  /** Where its gateway listens, null without one. */
  readonly gateway: string | null;
};

/**
 * Turns the flow of states into events: `started` once, and only after it `role` and `members`, each
 * when it changed.
 */
export class NodeReporter {
  readonly #output: Output;
  #started = false;
  #role = '';
  #members = '';
  #archived = '';
  /** What a person read last: the same words twice say nothing. */
  #lastSaid = '';
  /** What it last said it waits for, before there is a cluster. */
  #waitingFor = '';
  #ending = false;

  constructor(output: Output) {
    this.#output = output;
  }

  started(started: Started): void {
    if (this.#started) return;
    this.#started = true;
    const { nodeId, peerId, addresses, gateway } = started;
    const lines = [`Member ${shortId(nodeId)} is up`];
    if (addresses.length > 0) lines.push(`Reachable at ${addresses.join(', ')}`);
    if (gateway !== null) lines.push(`Listening for clients on ${gateway}`);
    this.#output.result({ event: 'started', nodeId, peerId, addresses, gateway }, lines.join('\n'));
  }

  status(status: ClusterStatus): void {
    if (!this.#started || this.#ending) return;
    this.#tellArchived(status);
    this.#tellRole(status);
    this.#tellMembers(status);
    const { reason, message } = status;
    if (status.raft.role !== 'none') {
      // For people only: programs read it from the status.
      this.#tell(null, message);
    } else if (reason !== null && message !== this.#waitingFor) {
      this.#waitingFor = message;
      this.#tell({ event: 'waiting', reason, message }, message);
    }
  }

  error(error: { readonly code: string; readonly message: string }): void {
    const { code, message } = error;
    this.#output.result({ event: 'error', code, message }, `Error: ${message} (${code})`);
  }

  /** From now on nothing but errors and the end is told: links that close are no news. */
  ending(): void {
    this.#ending = true;
  }

  stopping(): void {
    this.ending();
    this.#output.say('Stopping; Ctrl-C again ends at once');
  }

  stopped(): void {
    this.#output.result({ event: 'stopped' }, 'Stopped');
  }

  /** Z52: the cluster of before was given up; its data stay. */
  #tellArchived({ archived }: ClusterStatus): void {
    if (archived === undefined || archived.clusterId === this.#archived) return;
    this.#archived = archived.clusterId;
    const { clusterId, generation } = archived;
    this.#tell(
      { event: 'archived', clusterId, generation },
      `Cluster ${shortId(clusterId)} of generation ${generation} was given up: its data are an archive now`,
    );
  }

  #tellRole(status: ClusterStatus): void {
    const { role, term, leader } = status.raft;
    const key = `${role} ${term} ${leader}`;
    if (key === this.#role) return;
    this.#role = key;
    this.#tell({ event: 'role', role, term, leader }, roleText(status));
  }

  #tellMembers(status: ClusterStatus): void {
    const members = status.members.map(({ nodeId, label, kind, reachable, leader }) => ({
      ...{ nodeId, label, kind, reachable, leader },
    }));
    const key = JSON.stringify(members);
    if (key === this.#members) return;
    this.#members = key;
    const names = members.map((member) => {
      const marks = [
        ...(member.kind === 'learner' ? ['learner'] : []),
        ...(member.reachable ? [] : ['unreachable']),
      ];
      const name = member.label === '' ? shortId(member.nodeId) : member.label;
      return marks.length === 0 ? name : `${name} (${marks.join(', ')})`;
    });
    this.#tell(
      { event: 'members', members },
      names.length === 0 ? '' : `Members: ${names.join(', ')}`,
    );
  }

  #tell(event: unknown, text: string): void {
    if (this.#output.json) {
      if (event !== null) this.#output.result(event, '');
    } else if (text !== '' && text !== this.#lastSaid) {
      this.#lastSaid = text;
      this.#output.say(text);
    }
  }
}

function roleText(status: ClusterStatus): string {
  const { role, term, leader } = status.raft;
  if (role === 'none') return '';
  if (role === 'leader') return `Leading in term ${term}`;
  if (leader === null) return `Term ${term}: no leader yet`;
  const known = status.members.find((member) => member.nodeId === leader);
  const name = known === undefined || known.label === '' ? shortId(leader) : known.label;
  return `Following ${name} in term ${term}`;
}
