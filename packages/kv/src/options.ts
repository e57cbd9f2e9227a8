/** What calls take beside their arguments, as consensus takes it. */
import { callKinds, callback, checkValue, takeOptions } from '@quorate/contracts/options';
import { step } from '@quorate/contracts/kv-calls';
import type { CallOptions } from '@quorate/contracts';

/** Only what consensus takes, checked. */
export function checkCallOptions(options: CallOptions | undefined, action: string): CallOptions {
  return takeOptions(options, callKinds, action);
}

/** Of all that a call was given, what consensus takes. */
export function callsOf({ signal, timeoutMs }: Partial<CallOptions>): CallOptions {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

export function checkFunction(value: unknown, action: string): void {
  checkValue(value, callback, action, 'its argument');
}

export function checkStep(by: unknown, action: string): number {
  if (by === undefined) return 1;
  checkValue(by, step, action, 'the step');
  return by as number;
}
