/**
 * Limits of feature level 1, the same on every member: they are checked where a call enters and
 * again at apply, for what one member refuses every member must refuse.
 */

/** A key's UTF-8 bytes. */
export const keyBytesMax: number = 1024;
/** A value's CBOR bytes. */
export const valueBytesMax: number = 1024 * 1024;
/** A whole command. */
export const requestBytesMax: number = 1.5 * 1024 * 1024;
/** What the results of one command hold: entries read, and entries before a write. */
export const resultBytesMax: number = 1.5 * 1024 * 1024;
/** Operations in each branch of a transaction, and its comparisons. */
export const operationCountMax: number = 128;
/** A command that is let through on full disks: many fit into the room that is kept for them (T20). */
export const freeingBytesMax: number = 16 * 1024;
/** Keys, values and `recordOverheadBytes` each. A command carries another limit where one is set. */
export const stateBytesMaxDefault: number = 64 * 1024 * 1024;
/** What a key costs beside its own and its value's bytes. */
export const recordOverheadBytes: number = 64;
/** How deep arrays and objects may nest in a value. */
export const valueDepthMax: number = 128;

/** How much of the past is kept for watches and for reads of earlier revisions. */
export type HistoryLimits = { readonly revisionCountMax: number; readonly bytesMax: number };

export const historyLimitsDefault: HistoryLimits = {
  revisionCountMax: 10_000,
  bytesMax: 8 * 1024 * 1024,
};
