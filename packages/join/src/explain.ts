/** A status in sentences: why it is as it is, and what would end it. */
import type { ClusterStatus, MissingMember } from '@quorate/cluster';

/** `now`: Unix milliseconds. */
export function explainStatus(status: ClusterStatus, now: number = Date.now()): string {
  const { phase, message, members, missing, durability, copies } = status;
  const sentences = [`${message}.`];
  const leader = members.find((member) => member.leader);
  if (leader !== undefined) sentences.push(`${leader.label} leads ${members.length} member(s).`);
  for (const member of missing) {
    const seen =
      member.lastSeenAt === null
        ? 'not met since this member started'
        : `last seen ${Math.max(0, Math.round((now - member.lastSeenAt) / 1000))} s ago`;
    sentences.push(`${member.label} votes and cannot be reached (${seen}).`);
  }
  if (phase === 'read-only') {
    const voters = members.filter((member) => member.kind === 'voter').length;
    const needed = Math.floor(voters / 2) + 1 - (voters - missing.length);
    sentences.push(`Writes go on once ${whoIsBack(needed, missing)}.`);
  }
  if (status.registerLost !== null && status.phase !== 'ready') {
    sentences.push(`The register does not name this cluster (${status.registerLost}).`);
  }
  if (status.archived !== undefined) {
    const { clusterId, generation } = status.archived;
    sentences.push(
      `It came in as a new member: cluster ${clusterId.slice(0, 8)} of generation ${generation} was given up, its data are an archive.`,
    );
  }
  if (durability === 'memory') sentences.push('This member keeps its copy in memory only.');
  if (copies === 1) sentences.push('There is one copy of the data.');
  return sentences.join(' ');
}

function whoIsBack(needed: number, missing: readonly MissingMember[]): string {
  const [only] = missing;
  if (only !== undefined && missing.length === 1) return `${only.label} is back`;
  if (needed === missing.length) return 'all of them are back';
  return needed === 1 ? 'one of them is back' : `${needed} of them are back`;
}
