/**
 * Forbids real time and real chance while a world runs: code that reaches for them would make a seed
 * mean something else each time.
 */

/** Replaces the globals by ones that throw. The returned function puts them back. */
export function forbidRealTime(): () => void {
  const restore: (() => void)[] = [];
  const forbid = (owner: object, name: string): void => {
    const before = Object.getOwnPropertyDescriptor(owner, name);
    if (before?.configurable !== true) return;
    Object.defineProperty(owner, name, {
      configurable: true,
      writable: true,
      value: () => {
        throw new Error(`${name} is real: time and chance come in as parameters`);
      },
    });
    restore.push(() => Object.defineProperty(owner, name, before));
  };
  for (const name of ['setTimeout', 'setInterval', 'setImmediate']) forbid(globalThis, name);
  forbid(Date, 'now');
  forbid(Math, 'random');
  forbid(AbortSignal, 'timeout');
  forbid(Performance.prototype, 'now');
  forbid(Crypto.prototype, 'getRandomValues');
  return () => {
    for (const put of restore.reverse()) put();
  };
}
