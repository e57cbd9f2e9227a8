/** Chromium beside Firefox: the browser that a project does not run. */
import { chromium, firefox } from '@playwright/test';
import type { Browser, FullProject, LaunchOptions } from '@playwright/test';
import { existsSync } from 'node:fs';

/** Starts Firefox where this is Chromium, else Chromium, as its project would; null: it is not there. */
export async function otherBrowser(
  browserName: string,
  projects: readonly FullProject[],
): Promise<Browser | null> {
  const wanted = browserName === 'chromium' ? 'firefox' : 'chromium';
  const project = projects.find(({ name }) => name === wanted);
  const options: LaunchOptions = project?.use.launchOptions ?? {};
  const type = wanted === 'firefox' ? firefox : chromium;
  if (!existsSync(options.executablePath ?? type.executablePath())) return null;
  const channel = project?.use.channel;
  return type.launch({ ...options, ...(channel === undefined ? {} : { channel }) });
}
