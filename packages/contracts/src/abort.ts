/** Aborts for many: however many wait for a signal, it carries one listener of ours, and none after. */

type Fan = { readonly callbacks: Set<() => void>; readonly listener: () => void };

const fans = new WeakMap<AbortSignal, Fan>();

/**
 * Calls `callback` once when `signal` is aborted from now on; never where it is aborted already, or
 * there is none. The returned function takes it back, idempotently: whoever waits must call it when
 * he waits no longer, or a signal that lives long keeps everything that ever waited for it (T13).
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined || signal.aborted) return () => {};
  const fan = fans.get(signal) ?? newFan(signal);
  // Its own: the same one may wait twice.
  const own = (): void => callback();
  fan.callbacks.add(own);
  return () => {
    if (!fan.callbacks.delete(own) || fan.callbacks.size > 0) return;
    signal.removeEventListener('abort', fan.listener);
    if (fans.get(signal) === fan) fans.delete(signal);
  };
}

function newFan(signal: AbortSignal): Fan {
  const callbacks = new Set<() => void>();
  const listener = (): void => {
    fans.delete(signal);
    for (const callback of [...callbacks]) {
      // One that was taken back by another is not called any more.
      if (callbacks.delete(callback)) callback();
    }
  };
  const fan = { callbacks, listener };
  fans.set(signal, fan);
  signal.addEventListener('abort', listener, { once: true });
  return fan;
}
