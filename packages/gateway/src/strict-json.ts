/**
 * JSON as its writer meant it, or not at all: a number that a double does not hold, and a member
 * that is there twice, would each be taken for something else without a word.
 */

/**
 * Throws `SyntaxError` for what is no JSON, `TypeError` naming the place, such as `body.value[3].n`,
 * for a whole number that would change and for a member that comes twice.
 */
export function parseJson(text: string, path: string): unknown {
  const value: unknown = JSON.parse(text);
  checkPlaces(text, path);
  return value;
}

/** Where in it the reading is: an object with the names so far, or an array with its position. */
type Level = { readonly names: Set<string> | null; name: string; position: number };

/** `text` is JSON: only what it says twice, or in digits, has to be looked at. */
function checkPlaces(text: string, path: string): void {
  const levels: Level[] = [];
  token.lastIndex = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [found, string, number] = match;
    const level = levels.at(-1);
    if (found === '{') levels.push({ names: new Set(), name: '', position: 0 });
    else if (found === '[') levels.push({ names: null, name: '', position: 0 });
    else if (found === ',') {
      if (level !== undefined) level.position += 1;
    } else if (number !== undefined) checkNumber(number, placeOf(levels, path));
    else if (string === undefined) levels.pop();
    else if (level !== undefined && level.names !== null && isName(text, token.lastIndex)) {
      level.name = JSON.parse(string) as string;
      if (level.names.has(level.name)) {
        throw new TypeError(`Cannot read ${placeOf(levels, path)}: it is there twice, wanted once`);
      }
      level.names.add(level.name);
    }
  }
}

function checkNumber(digits: string, place: string): void {
  const number = Number(digits);
  const isWhole = /^-?\d+$/.test(digits);
  // What a program wrote that had the same double comes back in the same digits.
  if (Number.isFinite(number) && (!isWhole || String(number) === digits || digits === '-0')) return;
  const shown = digits.length > 40 ? `${digits.slice(0, 40)}…` : digits;
  throw new TypeError(
    `Cannot read ${place}: ${shown} is more than a number holds, wanted at most 2^53 or text`,
  );
}

function placeOf(levels: readonly Level[], path: string): string {
  return levels.reduce((place, { names, name, position }) => {
    if (names === null) return `${place}[${position}]`;
    const short = name.length > 100 ? `${name.slice(0, 100)}…` : name;
    return identifier.test(short) ? `${place}.${short}` : `${place}[${JSON.stringify(short)}]`;
  }, path);
}

function isName(text: string, at: number): boolean {
  for (let next = at; ; next += 1) {
    const unit = text.charCodeAt(next);
    // Blanks of JSON: space, tab, line feed, carriage return.
    if (unit !== 0x20 && unit !== 0x09 && unit !== 0x0a && unit !== 0x0d) return unit === 0x3a;
  }
}

const token = /("(?:[^"\\]|\\.)*")|(-?\d[\d.eE+-]*)|[{}[\],]/g;
const identifier = /^[\p{L}_$][\p{L}\p{N}_$]*…?$/u;
