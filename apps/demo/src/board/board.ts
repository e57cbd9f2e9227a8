/** The board in the cluster: one key per note, so that a note is in one column whoever moves it. */
import type { KeyValue, KvEntry } from 'quorate';
import { lastOrder, placed, stepped } from './notes.ts';
import type { Column, Direction, Note, NoteValue } from './notes.ts';

export class Board {
  readonly #kv: KeyValue;
  readonly #author: string;

  constructor(kv: KeyValue, author: string) {
    this.#kv = kv;
    this.#author = author;
  }

  /** Calls back now and after each change. The returned function ends it. */
  subscribe(listener: (notes: readonly Note[]) => void): () => void {
    return this.#kv
      .live<NoteValue>({ prefix })
      .subscribe((entries) => listener(entries.map(toNote)));
  }

  /** Puts a note behind the others of its column. */
  async add(column: Column, text: string): Promise<void> {
    const id = `${Date.now().toString(36)}-${crypto.getRandomValues(new Uint32Array(1)).join('')}`;
    await this.#kv.transaction((tx) => {
      const order = lastOrder(tx.range<NoteValue>({ prefix }).map(toNote), column);
      tx.put(`${prefix}${id}`, { text, column, order, author: this.#author });
    });
  }

  /** Changes the words alone: whoever moves it meanwhile is not undone. */
  async edit(id: string, text: string): Promise<void> {
    await this.#kv.update<NoteValue>(`${prefix}${id}`, (note) =>
      note === undefined ? undefined : { ...note, text },
    );
  }

  async remove(id: string): Promise<void> {
    await this.#kv.delete(`${prefix}${id}`);
  }

  async place(id: string, column: Column, index: number): Promise<void> {
    await this.#change((notes) => placed(notes, id, column, index));
  }

  async step(id: string, direction: Direction): Promise<void> {
    await this.#change((notes) => stepped(notes, id, direction));
  }

  // Runs again where somebody else moved a note meanwhile.
  async #change(change: (notes: readonly Note[]) => readonly Note[]): Promise<void> {
    await this.#kv.transaction((tx) => {
      for (const { id, ...value } of change(tx.range<NoteValue>({ prefix }).map(toNote))) {
        tx.put(`${prefix}${id}`, value);
      }
    });
  }
}

const prefix = 'note/';

function toNote({ key, value }: KvEntry<NoteValue>): Note {
  return { id: key.slice(prefix.length), ...value };
}
