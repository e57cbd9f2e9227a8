/** What a command reads from files and pipes, each failure in words of the flag that named it. */
import { open, readFile } from 'node:fs/promises';
import { UsageError } from './flags.ts';
import type { Flags } from './flags.ts';

/**
 * The small file of secrets or tokens that a flag names: one to a line, blank lines and lines with # are
 * skipped; null where the flag is not given. Throws `UsageError` where it cannot be read, holds nothing,
 * holds one of them twice, or may be read by others and `--insecure-file` does not say that this is meant.
 */
export async function readSecretLines(
  flags: Flags,
  flag: string,
  what: string,
): Promise<readonly string[] | null> {
  const path = flags.text(flag);
  if (path === undefined) return null;
  const text = await readSecretText(flag, path, flags.boolean('insecure-file')).catch(
    (error: unknown) => {
      throw error instanceof UsageError ? error : unreadable(flag, path, error);
    },
  );
  const lines = linesOf(text);
  if (lines.length === 0) throw nothingIn(flag, path, what);
  const seen = new Map<string, number>();
  for (const line of lines) {
    const first = seen.get(line.text);
    if (first !== undefined) {
      throw new UsageError(
        `Cannot use --${flag} ${path}: line ${line.number} repeats line ${first}, wanted each once`,
      );
    }
    seen.set(line.text, line.number);
  }
  return lines.map((line) => line.text);
}

/** Lines of a file of anything else, each with its number. Throws `UsageError`, also where there is none. */
export async function readLines(
  flag: string,
  path: string,
  what: string,
): Promise<readonly { readonly text: string; readonly number: number }[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw unreadable(flag, path, error);
  });
  const lines = linesOf(text);
  if (lines.length === 0) throw nothingIn(flag, path, what);
  return lines;
}

function linesOf(text: string): readonly { readonly text: string; readonly number: number }[] {
  return text
    .split(/\r?\n/)
    .map((line, at) => ({ text: line.trim(), number: at + 1 }))
    .filter((line) => line.text !== '' && !line.text.startsWith('#'));
}

function nothingIn(flag: string, path: string, what: string): UsageError {
  return new UsageError(`Cannot use --${flag} ${path}: wanted ${what}, found nothing`);
}

/** What is no file, such as a pipe of the shell, is as its maker opened it. */
async function readSecretText(flag: string, path: string, isInsecure: boolean): Promise<string> {
  const file = await open(path, 'r');
  try {
    const stats = await file.stat();
    const mode = stats.isFile() && !isInsecure ? exposing(stats) : null;
    if (mode !== null) {
      throw new UsageError(
        `Cannot use --${flag} ${path}: its permissions ${mode} let others read it; ` +
          `chmod 600 ${path}, and make a new one if somebody may have (--insecure-file: use it all the same)`,
      );
    }
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/**
 * The permissions of a file that others can read, else null. A group's are its owner's decision where
 * that is somebody else, such as the administrator of a service. Windows has none.
 */
function exposing({ mode, uid }: { readonly mode: number; readonly uid: number }): string | null {
  const me = process.getuid?.();
  if (me === undefined) return null;
  const forbidden = uid === me ? 0o077 : 0o007;
  return (mode & forbidden) === 0 ? null : (mode & 0o777).toString(8).padStart(4, '0');
}

/** The text of a value: a whole file. Throws `UsageError`. */
export async function readValueFile(path: string): Promise<string> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw unreadable('file', path, error);
  });
  try {
    return await readText(file.createReadStream({ autoClose: false }), `--file ${path}`);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw unreadable('file', path, error);
  } finally {
    await file.close();
  }
}

/** The text that `bytes` bring. Throws `UsageError` for what is no text, or more than a value. */
export async function readText(bytes: AsyncIterable<Uint8Array>, what: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of bytes) {
    length += chunk.length;
    // What a request may carry; the cluster's own limit on values is told by the cluster.
    if (length > textBytesMax) {
      throw new UsageError(`Cannot use ${what}: more than ${textBytesMax} bytes, wanted fewer`);
    }
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new UsageError(
      `Cannot use ${what}: it is no text in UTF-8, wanted text, or --json-value with {"$bytes":"…"}`,
    );
  }
}

function unreadable(flag: string, path: string, error: unknown): UsageError {
  const { code } = error as NodeJS.ErrnoException;
  const reason =
    code === 'ENOENT'
      ? 'there is no such file'
      : code === 'EISDIR'
        ? 'it is a directory'
        : code === 'EACCES'
          ? 'it may not be read'
          : String(code ?? error);
  return new UsageError(`Cannot use --${flag} ${path}: ${reason}, wanted a file`);
}

const textBytesMax = 2 * 1024 * 1024;
