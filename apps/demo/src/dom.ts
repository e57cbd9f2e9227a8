/**
 * The page's whole framework: makes elements, and keeps a list of them in step with data. A page
 * that follows live values needs no more, and shows `quorate` without anything in front of it.
 */

type Child = Node | string | null;
type Props = Readonly<Record<string, string | number | boolean | EventListener | null | undefined>>;

/**
 * Makes an HTML element. Properties that begin with `on` are listeners, `true` sets an empty
 * attribute, `false`, null and undefined set none; everything else is an attribute.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  assign(element, props);
  append(element, children);
  return element;
}

/** Makes an SVG element, by the same rules. */
export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  assign(element, props);
  append(element, children);
  return element;
}

function assign(element: Element, props: Props): void {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, String(value));
    }
  }
}

function append(element: Element, children: readonly Child[]): void {
  for (const child of children) if (child !== null) element.append(child);
}

/** Writes only what differs: the DOM, and whoever reads it aloud, hears of changes alone. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setFlag(element: Element, name: string, on: boolean): void {
  if (element.hasAttribute(name) !== on) element.toggleAttribute(name, on);
}

export function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Elements by key. */
export class KeyedList<T, E extends Element> {
  readonly #parent: Element;
  readonly #create: (item: T) => E;
  readonly #update: (element: E, item: T) => void;
  readonly #elements = new Map<string, E>();

  constructor(parent: Element, create: (item: T) => E, update: (element: E, item: T) => void) {
    this.#parent = parent;
    this.#create = create;
    this.#update = update;
  }

  get(key: string): E | undefined {
    return this.#elements.get(key);
  }

  /** Puts the parent's children in the order of `items`; an element stays for as long as its key. */
  show(items: readonly T[], keyOf: (item: T) => string): void {
    const keys = new Set(items.map(keyOf));
    for (const [key, element] of this.#elements) {
      if (keys.has(key)) continue;
      // Another list may have taken it over already.
      if (element.parentNode === this.#parent) element.remove();
      this.#elements.delete(key);
    }
    let place = this.#parent.firstElementChild;
    for (const item of items) {
      const key = keyOf(item);
      let element = this.#elements.get(key);
      if (element === undefined) {
        element = this.#create(item);
        this.#elements.set(key, element);
      }
      this.#update(element, item);
      if (element === place) place = place.nextElementSibling;
      else this.#parent.insertBefore(element, place);
    }
  }
}

/** The person asked for less motion. */
export function isCalm(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}
