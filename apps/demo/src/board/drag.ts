/** Moves elements by pointer: mouse and pen anywhere on them, fingers by their grip alone. */

export type DropPlace = { readonly list: HTMLElement; readonly index: number };

export type DragOptions = {
  /** The lists that take elements. */
  readonly lists: readonly HTMLElement[];
  readonly mayStart: () => boolean;
  readonly dropped: (element: HTMLElement, place: DropPlace) => void;
};

/** Makes `element` one that can be dragged; a press on a control inside stays a press. */
export function makeDraggable(element: HTMLElement, options: DragOptions): void {
  element.addEventListener('pointerdown', (event) => {
    if (!(event.target instanceof Element) || event.button !== 0 || !options.mayStart()) return;
    const onGrip = event.target.closest('.grip') !== null;
    if (event.target.closest('button, textarea, input') !== null) return;
    if (event.pointerType === 'touch' && !onGrip) return;
    new Drag(element, event, options);
  });
}

class Drag {
  readonly #element: HTMLElement;
  readonly #options: DragOptions;
  readonly #startX: number;
  readonly #startY: number;
  readonly #ended = new AbortController();
  readonly #line: HTMLElement = document.createElement('li');
  #ghost: HTMLElement | null = null;
  #place: DropPlace | null = null;

  constructor(
    element: HTMLElement,
    { clientX, clientY, pointerId }: PointerEvent,
    options: DragOptions,
  ) {
    this.#element = element;
    this.#options = options;
    this.#startX = clientX;
    this.#startY = clientY;
    this.#line.className = 'drop-line';
    const { signal } = this.#ended;
    element.setPointerCapture(pointerId);
    element.addEventListener('pointermove', (event) => this.#move(event), { signal });
    element.addEventListener('pointerup', () => this.#end(true), { signal });
    element.addEventListener('pointercancel', () => this.#end(false), { signal });
    addEventListener(
      'keydown',
      (event) => {
        if (event.key === 'Escape') this.#end(false);
      },
      { signal },
    );
  }

  #move({ clientX, clientY }: PointerEvent): void {
    const x = clientX - this.#startX;
    const y = clientY - this.#startY;
    if (this.#ghost === null) {
      // A press that trembles is no drag.
      if (Math.hypot(x, y) < startPx) return;
      this.#ghost = this.#lift();
    }
    this.#ghost.style.transform = `translate(${x}px, ${y}px) rotate(1.5deg)`;
    this.#place = this.#placeAt(clientX, clientY);
    if (this.#place === null) this.#line.remove();
    else {
      const { list, index } = this.#place;
      list.insertBefore(this.#line, this.#others(list)[index] ?? null);
    }
  }

  #lift(): HTMLElement {
    const { left, top, width } = this.#element.getBoundingClientRect();
    const ghost = this.#element.cloneNode(true) as HTMLElement;
    ghost.classList.add('ghost');
    ghost.style.left = `${left}px`;
    ghost.style.top = `${top}px`;
    ghost.style.width = `${width}px`;
    ghost.setAttribute('aria-hidden', 'true');
    document.body.append(ghost);
    this.#element.setAttribute('data-lifted', '');
    document.documentElement.setAttribute('data-dragging', '');
    return ghost;
  }

  #placeAt(x: number, y: number): DropPlace | null {
    for (const list of this.#options.lists) {
      const box = (list.parentElement ?? list).getBoundingClientRect();
      if (x < box.left || x > box.right || y < box.top || y > box.bottom) continue;
      const below = this.#others(list).findIndex((other) => {
        const { top, height } = other.getBoundingClientRect();
        return y < top + height / 2;
      });
      return { list, index: below === -1 ? this.#others(list).length : below };
    }
    return null;
  }

  #others(list: HTMLElement): readonly Element[] {
    return [...list.children].filter((one) => one !== this.#element && one !== this.#line);
  }

  #end(isDropped: boolean): void {
    this.#ended.abort();
    this.#line.remove();
    this.#ghost?.remove();
    this.#element.removeAttribute('data-lifted');
    document.documentElement.removeAttribute('data-dragging');
    if (isDropped && this.#ghost !== null && this.#place !== null) {
      this.#options.dropped(this.#element, this.#place);
    }
  }
}

const startPx = 5;
