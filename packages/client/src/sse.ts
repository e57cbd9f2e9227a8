/** Server-sent events, as in the HTML standard §9.2, from a stream of bytes. */

export type ServerSentEvent = { readonly type: string; readonly id: string; readonly data: string };

/** Takes text as it comes and hands out the events completed by it. */
export class SseParser {
  /** The unfinished last line, in pieces: an event of megabytes is scanned once, not per piece. */
  #rest: string[] = [];
  #type = '';
  #data: string[] = [];
  #id = '';

  push(text: string): readonly ServerSentEvent[] {
    const events: ServerSentEvent[] = [];
    if (!/[\r\n]/.test(text) && !(this.#rest.at(-1) ?? '').endsWith('\r')) {
      if (text !== '') this.#rest.push(text);
      return events;
    }
    const buffered = this.#rest.join('') + text;
    // A final \r may be half of \r\n: it waits for what follows.
    const usable = buffered.endsWith('\r') ? buffered.slice(0, -1) : buffered;
    const lines = usable.split(/\r\n|\n|\r/);
    this.#rest = [(lines.pop() ?? '') + buffered.slice(usable.length)];
    for (const line of lines) {
      const event = this.#line(line);
      if (event !== null) events.push(event);
    }
    return events;
  }

  #line(line: string): ServerSentEvent | null {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#type = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    return null;
  }

  #dispatch(): ServerSentEvent | null {
    const event = { type: this.#type || 'message', id: this.#id, data: this.#data.join('\n') };
    const empty = this.#data.length === 0;
    this.#type = '';
    this.#data = [];
    return empty ? null : event;
  }
}
