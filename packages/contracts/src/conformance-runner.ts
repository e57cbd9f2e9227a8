/**
 * What a conformance suite needs of a test runner: a way to register one named case. Suites bring
 * their own assertions, so that they run in vitest, node:test and bare browser pages alike.
 */
export type RegisterTest = (name: string, run: () => Promise<void>) => void;
