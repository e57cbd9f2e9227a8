/** Hard bounds of the format, checked before anything is allocated. */

/** The largest term a message may speak of: terms are entered one by one, far from overflow. */
export const termMax: number = 2 ** 48;
/** No member enters a term beyond: what is left up to the bound is nobody's to use up (Z40). */
export const termLimit: number = termMax - 2 ** 32;
/** A term rises by at most so much at a time, so that no one word takes anybody to the bound. */
export const termStepMax: number = 2 ** 20;
/** Bytes of data in one entry. */
export const entryDataBytesMax: number = 16 * 1024 * 1024;
/** Bytes of one encoded message. */
export const messageBytesMax: number = 32 * 1024 * 1024;
/** Bytes of a proposer's context in a membership entry. */
export const contextBytesMax: number = 64 * 1024;
/** The newest message format, and the only one so far. */
export const messageVersion: number = 1;
/** The newest format of membership entries. */
export const membershipVersion: number = 1;
