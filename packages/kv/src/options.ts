/** What calls take beside their arguments, checked where they enter. */
import type { CallOptions } from '@quorate/contracts';
import { checkObject, show } from './requests.ts';
import type { Consistency } from './types.ts';

/** Only what consensus takes, checked. */
export function checkCallOptions(options: CallOptions | undefined, action: string): CallOptions {
  if (options === undefined) return {};
  checkObject(options, 'options argument', action);
  const { signal, timeoutMs } = options;
  if (signal !== undefined && typeof signal.addEventListener !== 'function') {
    throw new TypeError(`Cannot ${action}: signal is ${show(signal)}, wanted an AbortSignal`);
  }
  if (timeoutMs !== undefined && !(Number.isFinite(timeoutMs) && timeoutMs > 0)) {
    throw new RangeError(`Cannot ${action}: timeoutMs is ${show(timeoutMs)}, wanted more than 0`);
  }
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

export function checkConsistency(value: unknown, action: string): Consistency {
  if (value === undefined || value === 'linearizable') return 'linearizable';
  if (value === 'lease' || value === 'local') return value;
  throw new TypeError(
    `Cannot ${action}: consistency is ${show(value)}, wanted linearizable, lease or local`,
  );
}

export function checkOrder(value: unknown, action: string): 'asc' | 'desc' {
  if (value === undefined || value === 'asc') return 'asc';
  if (value === 'desc') return value;
  throw new TypeError(`Cannot ${action}: order is ${show(value)}, wanted asc or desc`);
}

export function checkLimit(value: unknown, action: string): number {
  if (value === undefined) return Infinity;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(`Cannot ${action}: limit is ${show(value)}, wanted an integer from 1`);
}

export function checkFunction(value: unknown, action: string): void {
  if (typeof value === 'function') return;
  throw new TypeError(`Cannot ${action}: got ${show(value)}, wanted a function`);
}
