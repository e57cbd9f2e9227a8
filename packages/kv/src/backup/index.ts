export { corrupt, readContainer, writeContainer } from './container.ts';
export type { Container } from './container.ts';
export { readBlocks, rebased, writeBlocks } from './blocks.ts';
export type { Contents } from './blocks.ts';
export { exportEntries, importEntries, isReserved } from './transfer.ts';
export type { ExportedEntry, ImportOptions } from './transfer.ts';
export { generationMax, generationOf, inGeneration } from '../generation.ts';
export type { StoreCapture } from '../store.ts';
