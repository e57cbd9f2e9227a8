/** What this tab is called and which colour it has: one name per open tab of the browser. */

/** In the order in which tabs take them; each has its colour in style.css, by the same name. */
export const names: readonly string[] = [
  'Coral',
  'Teal',
  'Amber',
  'Violet',
  'Sky',
  'Rose',
  'Moss',
  'Indigo',
  'Copper',
  'Slate',
];

/**
 * Resolves with a name that no other tab has, kept over reloads. A Web Lock stands for it, for a
 * duplicated tab has a copy of what its original's session stored. Where a page has no Web Locks:
 * by chance.
 */
export async function takeName(): Promise<string> {
  const { locks } = navigator as Partial<Navigator>;
  if (locks === undefined) return anyName();
  const before = recall();
  const wanted = before === null ? names : [before, ...names];
  for (const name of wanted) {
    if (await tryName(locks, name)) {
      remember(name);
      return name;
    }
  }
  return anyName();
}

async function tryName(locks: LockManager, name: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    locks
      .request(`quorate demo ${name}`, { ifAvailable: true }, (lock) => {
        resolve(lock !== null);
        return lock === null ? undefined : untilLeft();
      })
      .catch(reject);
  });
}

/** A held lock would keep the page out of the back/forward cache, or its name with it in there. */
function untilLeft(): Promise<void> {
  return new Promise((resolve) => {
    addEventListener('pagehide', () => resolve(), { once: true });
  });
}

/** More tabs than names: those beyond carry a number. */
function anyName(): string {
  const name = names[Math.floor(Math.random() * names.length)] ?? 'Slate';
  return `${name} ${Math.floor(Math.random() * 90) + 10}`;
}

/** The colour of whoever is called `label`, as a value of CSS; members in Node.js have ink. */
export function tintOf(label: string): string {
  const name = /^[A-Z][a-z]+/.exec(label)?.[0] ?? '';
  return names.includes(name) ? `var(--tab-${name.toLowerCase()})` : 'var(--node)';
}

const key = 'quorate demo name';

function recall(): string | null {
  try {
    const name = sessionStorage.getItem(key);
    return name !== null && names.includes(name) ? name : null;
  } catch {
    // Blocked by the person's settings.
    return null;
  }
}

function remember(name: string): void {
  try {
    sessionStorage.setItem(key, name);
  } catch {
    // It will be called otherwise after a reload.
  }
}
