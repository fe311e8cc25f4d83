import { describe, expect, it } from 'vitest';
import { RateMeter } from '../../src/core/index.js';

describe('RateMeter', () => {
  it('tells nothing before two points', () => {
    expect(new RateMeter(0, 500).rate).toBe(0);
  });

  it('counts only what was done since it began', () => {
    const meter = new RateMeter(1000, 4096);
    meter.add(2000, 4096 + 1000);
    expect(meter.rate).toBe(1000);
  });

  it('forgets what is older than its window', () => {
    const meter = new RateMeter(0, 0);
    for (let second = 1; second <= 10; second++) meter.add(second * 1000, second * 1_000_000);
    for (let second = 11; second <= 20; second++) meter.add(second * 1000, 10_000_000);
    expect(meter.rate).toBe(0);
  });

  it('does not keep a point for every call', () => {
    const meter = new RateMeter(0, 0);
    for (let at = 1; at < 150; at++) meter.add(at, at * 10);
    expect(meter.rate).toBe(0);
    meter.add(1000, 10_000);
    expect(meter.rate).toBe(10_000);
  });
});
