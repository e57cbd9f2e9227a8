/** Help texts, made from the declarations of the commands. */
import { commands } from './commands.ts';
import type { Command } from './command.ts';
import { valueName } from './flags.ts';
import type { Flag } from './flags.ts';
import { table } from './output.ts';

/** What `quorate --help` prints. */
export function overview(): string {
  const rows = commands.map((command) => [`  ${titleOf(command)}`, command.summary]);
  return `quorate: one consistent state across processes, browser tabs and machines

Usage: quorate COMMAND [FLAGS]

${table(rows)}

Each command has --help. Each flag can also be set as a variable: QUORATE_RELAY for --relay.
quorate --version tells which release this is.

Exit codes: 0 done, 1 the answer is no (key absent, conflict), 2 wrong usage,
3 failed without effect, 4 failed and may have had its effect.
`;
}

/** What `quorate COMMAND --help` prints. */
export function helpOf(command: Command): string {
  const rows = command.flags.map((flag) => [`  ${usageOf(flag)}`, flag.help]);
  const details = command.details === '' ? '' : `${command.details}\n\n`;
  const examples = command.examples.map((line) => `  ${line}`).join('\n');
  return `${command.summary}

Usage: quorate ${titleOf(command)} [FLAGS]

${details}${table(rows)}

${command.examples.length === 1 ? 'Example' : 'Examples'}:
${examples}
`;
}

function titleOf(command: Command): string {
  return command.parameters === '' ? command.name : `${command.name} ${command.parameters}`;
}

function usageOf(flag: Flag): string {
  return flag.type === 'boolean' ? `--${flag.name}` : `--${flag.name} ${valueName(flag)}`;
}
