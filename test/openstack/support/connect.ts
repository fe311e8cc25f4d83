import { readFile } from 'node:fs/promises';
import { onTestFinished } from 'vitest';
import { StackferryError } from '../../../src/core/index.js';
import { connectCloud, type Cloud, type CloudConfig, type ConnectOptions } from '../../../src/openstack/index.js';
import { testContext, type TestContext } from './context.js';
import { fakeCloud, fakeConfig, type FakeCloud, type Route } from './fake-cloud.js';

export interface Connected {
  cloud: Cloud;
  fake: FakeCloud;
  ctx: TestContext;
}

/** A fake cloud with these routes and a connection to it, both closed when the test ends. */
export async function connected(
  routes: Record<string, Route | Route[]>,
  options: { config?: Partial<CloudConfig>; connect?: Partial<ConnectOptions> } = {},
): Promise<Connected> {
  const fake = await fakeCloud(routes);
  onTestFinished(() => fake.close());
  const ctx = testContext();
  const cloud = await connectCloud(fakeConfig(fake.url, options.config), ctx, {
    readFile: (path) => readFile(path, 'utf8'),
    ...options.connect,
  });
  onTestFinished(() => cloud.close());
  return { cloud, fake, ctx };
}

/** The error that a promise fails with; anything else fails the test. */
export async function failure(promise: Promise<unknown>): Promise<StackferryError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof StackferryError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}
