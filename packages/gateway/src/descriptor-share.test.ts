import { describe, expect, test } from 'vitest';
import { descriptorsMax, openFilesMax, shareOf } from './descriptor-share.ts';

describe('descriptors', () => {
  test('T19 of few descriptors half is kept for everything but the gateway', () => {
    expect(shareOf(256, 1_024)).toEqual({ connectionsMax: 128, watchesMax: 96 });
    expect(shareOf(64, 1_024)).toEqual({ connectionsMax: 16, watchesMax: 12 });
  });

  test('T19 where there are many the limits are what they were', () => {
    expect(shareOf(20_000, 1_024)).toEqual({ connectionsMax: 4_096, watchesMax: 1_024 });
    expect(shareOf(Infinity, 8)).toEqual({ connectionsMax: 32, watchesMax: 8 });
  });

  test('the system tells its limit', () => {
    expect(openFilesMax('Limit  Soft Limit\nMax open files            1024  4096  files \n')).toBe(
      1_024,
    );
    expect(openFilesMax('Max open files            unlimited unlimited files \n')).toBe(Infinity);
    expect(descriptorsMax()).toBeGreaterThan(0);
  });
});
