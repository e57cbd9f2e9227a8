/**
 * When a page may run and when it must not (Z6): it is left (closed, navigated away from, put into
 * the back/forward cache) or frozen, and it may come back from the latter two.
 */
export type PageEvents = {
  /** Nothing may run after this returns; there may be no later. May be told twice. */
  left(): void;
  /** The page goes on after having been left. May be told without. */
  returned(): void;
  shown(): void;
  hidden(): void;
};

/** What is needed of `window` and `document`. */
export type PageTarget = {
  readonly window: Pick<Window, 'addEventListener' | 'removeEventListener'>;
  readonly document: Pick<Document, 'addEventListener' | 'removeEventListener' | 'visibilityState'>;
};

/** The returned function ends it. */
export function watchPage({ window, document }: PageTarget, events: PageEvents): () => void {
  const left = (): void => events.left();
  const returned = (): void => events.returned();
  const visibilityChanged = (): void => {
    if (document.visibilityState === 'visible') events.shown();
    else events.hidden();
  };
  const shownAgain = (event: PageTransitionEvent): void => {
    // A page that was merely loaded was never left.
    if (event.persisted) returned();
  };
  window.addEventListener('pagehide', left);
  window.addEventListener('pageshow', shownAgain);
  // Chromium's page life cycle; elsewhere these never come.
  document.addEventListener('freeze', left);
  document.addEventListener('resume', returned);
  document.addEventListener('visibilitychange', visibilityChanged);
  return () => {
    window.removeEventListener('pagehide', left);
    window.removeEventListener('pageshow', shownAgain);
    document.removeEventListener('freeze', left);
    document.removeEventListener('resume', returned);
    document.removeEventListener('visibilitychange', visibilityChanged);
  };
}
