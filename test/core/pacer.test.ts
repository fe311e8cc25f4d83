import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pacer, type Clock } from '../../src/core/index.js';

function fakeClock(): Clock & { time: number } {
  const clock = {
    time: 0,
    now: () => clock.time,
    sleep: (ms: number) => {
      clock.time += ms;
      return Promise.resolve();
    },
  };
  return clock;
}

const never = new AbortController().signal;

describe('a pacer', () => {
  it('holds the rate over any steps, and lets a short burst pass', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 60 }),
        async (steps) => {
          const clock = fakeClock();
          const pacer = new Pacer(clock, 1_000_000);
          let total = 0;
          for (const step of steps) {
            await pacer.take(step, never);
            total += step;
            // Never more than the rate allows, save for the burst before and after.
            expect(total / 1000).toBeLessThanOrEqual(clock.time + 101);
          }
          expect(clock.time).toBeLessThanOrEqual(total / 1000 + 1);
        },
      ),
    );
  });

  it('saves nothing up while nobody takes', async () => {
    const clock = fakeClock();
    const pacer = new Pacer(clock, 1000);
    clock.time = 3_600_000;
    await pacer.take(10_000, never);
    expect(clock.time).toBeGreaterThanOrEqual(3_600_000 + 9_900);
  });

  it('takes another limit on its way, and none', async () => {
    const clock = fakeClock();
    const pacer = new Pacer(clock, null);
    expect(pacer.take(1e9, never)).toBeUndefined();
    pacer.limit(1000);
    await pacer.take(1_000, never);
    expect(clock.time).toBeGreaterThanOrEqual(900);
    const before = clock.time;
    pacer.limit(10_000);
    await pacer.take(10_000, never);
    expect(clock.time - before).toBeLessThanOrEqual(1_001);
    pacer.limit(null);
    expect(pacer.take(1e9, never)).toBeUndefined();
  });

  it('takes no rate of nothing', () => {
    expect(() => new Pacer(fakeClock(), 0)).toThrow(RangeError);
    expect(() => new Pacer(fakeClock(), Number.NaN)).toThrow(RangeError);
  });
});
