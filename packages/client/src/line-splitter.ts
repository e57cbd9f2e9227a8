/** Lines out of text that comes in pieces: each piece is looked at once, however long the line is. */
export class LineSplitter {
  /** The line that is not ended yet. */
  #rest: string[] = [];

  /** The lines that `text` ends. */
  push(text: string): string[] {
    const lines = text.split('\n');
    const rest = lines.pop() ?? '';
    if (lines.length > 0) {
      lines[0] = this.#rest.join('') + (lines[0] ?? '');
      this.#rest = [];
    }
    if (rest !== '') this.#rest.push(rest);
    return lines;
  }
}
