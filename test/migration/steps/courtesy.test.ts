import { describe, expect, it } from 'vitest';
import { Courtesy } from '../../../src/migration/steps/courtesy.js';
import { recordingContext } from '../../support/recording-context.js';
import { standingClock } from '../helpers.js';

const MIB = 1024 ** 2;

function courteous() {
  const clock = standingClock();
  const ctx = { ...recordingContext(), clock };
  const courtesy = new Courtesy(ctx, 'scsi0:0');
  /** How long it pauses after requests that took so long. */
  const pauses = async (...times: number[]) => {
    const all: number[] = [];
    for (const ms of times) {
      const before = clock.now();
      await courtesy.answered({ bytes: 8 * MIB, reads: 1, ms });
      all.push(clock.now() - before);
    }
    return all;
  };
  return { courtesy, pauses, seen: ctx.seen };
}

const usual = Array.from({ length: 12 }, (_, index) => 100 + index);

describe('reading with low priority', () => {
  it('does not pause while the host answers as usual', async () => {
    const { courtesy, pauses, seen } = courteous();
    expect(await pauses(...usual, 140, 150)).toEqual([...usual, 0, 0].map(() => 0));
    courtesy.tell();
    expect(seen).toEqual([]);
  });

  it('pauses as long as a slow request took, longer while it stays slow, never for ever, and ends', async () => {
    const { courtesy, pauses, seen } = courteous();
    await pauses(...usual);
    expect(await pauses(400, 400, 400)).toEqual([400, 800, 1600]);
    expect(await pauses(3_000, 3_000)).toEqual([10_000, 10_000]);
    expect(await pauses(110, 400)).toEqual([0, 400]);
    courtesy.tell();
    expect(seen).toEqual([
      expect.objectContaining({
        kind: 'notice',
        message: expect.stringContaining('left alone 6 time(s), 23 s in all') as string,
      }),
    ]);
  });

  it('does not judge before it knows what is usual, nor by small, scattered or held requests', async () => {
    const { courtesy, pauses } = courteous();
    expect(await pauses(100, 900, 900)).toEqual([0, 0, 0]);
    await pauses(...usual);
    expect(courtesy.answered({ bytes: MIB, reads: 1, ms: 9_000 })).toBeUndefined();
    expect(courtesy.answered({ bytes: 8 * MIB, reads: 40, ms: 9_000 })).toBeUndefined();
    courtesy.held();
    expect(courtesy.answered({ bytes: 8 * MIB, reads: 1, ms: 9_000 })).toBeUndefined();
    expect(await pauses(900)).not.toEqual([0]);
  });

  it('takes a busy hour for one, and what lasts for what is usual', async () => {
    const { pauses } = courteous();
    await pauses(...Array.from({ length: 100 }, () => 100));
    expect(Math.min(...(await pauses(...Array.from({ length: 60 }, () => 300))))).toBeGreaterThan(0);
    await pauses(...Array.from({ length: 200 }, () => 300));
    expect(await pauses(300)).toEqual([0]);
  });
});
