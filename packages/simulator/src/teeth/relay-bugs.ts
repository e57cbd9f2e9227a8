/** Bugs of a relay's register: what it gives up, what it takes, and what it says after it has forgotten. */
import type { Bug } from './bug.ts';

const rules = 'transport-libp2p/src/relay/register-rules.ts';
const store = 'transport-libp2p/src/relay/register-store.ts';

export const relayBugs: readonly Bug[] = [
  {
    id: 'give-up-what-is-in-use',
    what: 'a name whose cluster acknowledges goes after a day like one that nobody used',
    breaks: 'Z57',
    suite: 'cluster',
    edits: [
      {
        file: rules,
        find: 'if (!entry.active) this.#claimed.add(topic);',
        replace: 'this.#claimed.add(topic);',
      },
    ],
  },
  {
    id: 'a-beat-is-no-sign-of-life',
    what: 'a claim goes a day after it was made, whatever its founder has set since',
    breaks: 'Z57',
    suite: 'cluster',
    edits: [
      {
        file: rules,
        find: 'revision: state.revision + 1,\n      setAtMs: time,',
        replace: 'revision: state.revision + 1,\n      setAtMs: known.setAtMs,',
      },
    ],
  },
  {
    id: 'claims-go-at-once',
    what: 'a claim goes as soon as anybody wants another name',
    breaks: 'Z57',
    suite: 'cluster',
    edits: [
      {
        file: rules,
        find: '> time - limits.claimedForMs) break;',
        replace: '> time + limits.claimedForMs) break;',
      },
    ],
  },
  {
    id: 'versions-begin-anew',
    what: 'a name that was given up begins at the first version again',
    breaks: 'Z57',
    suite: 'cluster',
    edits: [
      {
        file: rules,
        find: 'const floor = Math.max(state.floor, ...versions);',
        replace: 'const floor = state.floor + 0 * versions.length;',
      },
    ],
  },
  {
    id: 'set-whatever-stands',
    what: 'a register sets what it is given, whichever version stands there',
    breaks: 'Z9, Z10',
    suite: 'cluster',
    edits: [
      {
        file: rules,
        find: 'if (known.version !== expectedVersion) return { ok: false, changes: [] };',
        replace: '',
      },
    ],
  },
  {
    id: 'a-new-register-waits-for-nobody',
    what: 'a register that was just made takes first claims at once',
    breaks: 'Z58',
    suite: 'cluster',
    edits: [
      {
        file: store,
        find: 'if (ok && isFirst && this.#options.clock.now() < this.#heldUntilMs) {',
        replace: 'if (ok && isFirst && this.#heldUntilMs > Infinity) {',
      },
    ],
  },
  {
    id: 'put-back-and-none-the-wiser',
    what: 'a register that is shown a later state of itself takes no notice',
    breaks: 'Z53',
    suite: 'cluster',
    edits: [
      {
        file: store,
        find: 'if (revision <= state.revision) return false;',
        replace: 'if (revision >= 0) return false;',
      },
    ],
  },
  {
    id: 'versions-go-back-with-the-disk',
    what: 'a register that was put back gives versions again that it gave before',
    breaks: 'Z53, Z57',
    suite: 'cluster',
    edits: [
      {
        file: store,
        find: "          type: 'floor',\n          floor: state.floor + unknownVersionsMax,\n          revision: generation",
        replace:
          "          type: 'floor',\n          floor: state.floor,\n          revision: generation",
      },
    ],
  },
  {
    id: 'answer-before-it-is-written',
    what: 'a register answers while what it set is on its way to the disk',
    breaks: 'Z9',
    suite: 'cluster',
    edits: [
      {
        file: store,
        find: 'await this.#durably((disk) => disk.write(topic, entry));',
        replace: 'void this.#durably((disk) => disk.write(topic, entry));',
      },
      {
        file: store,
        find: 'if (isNew) await this.#durably((disk) => disk.list(topic));',
        replace: 'if (isNew) void this.#durably((disk) => disk.list(topic));',
      },
    ],
  },
];
