import { defineConfig } from 'vitest/config';
import { LongestFirst } from './lib/longest-first.js';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['interop/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 180_000,
    pool: 'forks',
    // they wait more than they compute; more than two would make them wait for each other
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
  },
});
