import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { MIB } from '../../src/core/index.js';
import { DigestThread } from '../../src/disk/index.js';

describe('digests on a thread of their own', () => {
  it('are those of the bytes, in order, with runs of zeros that nobody made', async () => {
    const thread = new DigestThread(['sha512', 'md5']);
    const parts = [randomBytes(3), randomBytes(5 * MIB + 1), randomBytes(20 * MIB)];
    const all = Buffer.concat([parts[0] ?? '', Buffer.alloc(33 * MIB + 7), parts[1] ?? '', parts[2] ?? ''] as Buffer[]);
    await thread.update(parts[0] ?? Buffer.alloc(0));
    await thread.zeros(33 * MIB + 7);
    for (const part of parts.slice(1)) {
      const copy = Buffer.from(part);
      const given = thread.update(copy);
      copy.fill(0); // it is the caller's again
      await given;
    }
    expect(await thread.digest()).toEqual({
      sha512: createHash('sha512').update(all).digest('hex'),
      md5: createHash('md5').update(all).digest('hex'),
    });
  });

  it('makes its giver wait, and fails when it is closed under one', async () => {
    const thread = new DigestThread(['sha512']);
    let done = false;
    const giving = thread.zeros(2 ** 40).then(
      () => (done = true),
      (error: unknown) => error,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(done).toBe(false);
    await thread.close();
    expect(await giving).toBeInstanceOf(Error);
    await expect(thread.digest()).rejects.toThrow(/ended/);
  });

  it('begins with runs of zeros, each of them more than once', async () => {
    const one = randomBytes(1000);
    for (const zeros of [0, 64 * 1024, MIB, 4 * MIB, 4 * MIB + 1]) {
      const thread = new DigestThread(['sha512']);
      await thread.zeros(zeros);
      await thread.update(one);
      const all = Buffer.concat([Buffer.alloc(zeros), one]);
      expect(await thread.digest()).toEqual({ sha512: createHash('sha512').update(all).digest('hex') });
    }
  });

  it('has the digest of nothing', async () => {
    const thread = new DigestThread(['sha256']);
    expect(await thread.digest()).toEqual({ sha256: createHash('sha256').digest('hex') });
  });
});
