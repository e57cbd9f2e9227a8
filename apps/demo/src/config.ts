/** What whoever serves the page tells it: where members in Node.js are, if there are any. */

export type Network = {
  readonly namespace: string;
  readonly relays: readonly string[];
  readonly secret: string;
  /** Stops and starts members; null where the page was not loaded on the machine that runs them. */
  readonly token: string | null;
};

export type Config = {
  readonly network: Network | null;
  /** Where a phone of the same network opens this page; null where it cannot, or is one itself. */
  readonly phone: string | null;
};

/** Reads the JSON in the page's element `#config`; without one there are tabs only. */
export function readConfig(): Config {
  const text = document.querySelector('#config')?.textContent ?? '';
  return text.trim() === '' ? { network: null, phone: null } : (JSON.parse(text) as Config);
}
