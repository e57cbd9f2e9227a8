export { run } from './run.ts';
export type { Surroundings } from './run.ts';
