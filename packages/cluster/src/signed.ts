export { SignedRuns } from './links/signed-run.ts';
