import { defineConfig } from 'vitest/config';

// Three projects, one for each part of `scripts/test`: what needs no peer, what runs against the
// embedded host and cloud, and what runs against a real OpenStack (started by scripts/lab before).
export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/embedded/**', 'test/cloud/**'] },
      },
      {
        extends: true,
        test: { name: 'embedded', include: ['test/embedded/**/*.test.ts'], testTimeout: 300_000 },
      },
      {
        extends: true,
        test: {
          name: 'cloud',
          include: ['test/cloud/**/*.test.ts'],
          testTimeout: 900_000,
          hookTimeout: 900_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
