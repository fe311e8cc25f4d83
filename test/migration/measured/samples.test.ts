import { describe, expect, it } from 'vitest';
import {
  ofCloud,
  ofVolumeType,
  placeUrl,
  predict,
  predictImage,
  withSample,
} from '../../../src/migration/measured/samples.js';
import { sample } from './sample.js';

const GIB = 1024 ** 3;
const raw = (gib: number, image: number | null, volume: number) =>
  sample({ format: 'raw', image_bytes: gib * GIB, volume_gib: gib, image_seconds: image, volume_seconds: volume });
const rawOf = (gib: number) => ({ format: 'raw' as const, imageBytes: gib * GIB, volumeGib: gib });

describe('what is predicted', () => {
  it('grows with the size, where only one was seen', () => {
    expect(predict([raw(10, 100, 20)], rawOf(40))).toEqual({ imageSeconds: 400, volumeSeconds: 80, volumes: 1 });
  });

  it('takes a clone for what it is: the same for every size', () => {
    const clones = [raw(10, 100, 3), raw(20, 200, 3), raw(100, 1000, 4)];
    expect(predict(clones, rawOf(500))?.volumeSeconds).toBeLessThan(15);
    expect(predict(clones, rawOf(500))?.imageSeconds).toBe(5000);
  });

  it('goes by medians: one slow hour does not count', () => {
    const seen = [raw(10, 100, 20), raw(10, 100, 3600), raw(10, 9000, 21)];
    expect(predict(seen, rawOf(10))).toEqual({ imageSeconds: 100, volumeSeconds: 21, volumes: 3 });
  });

  it('counts the newest only, and nothing of an image that was there before as an upload', () => {
    const old = Array.from({ length: 8 }, () => raw(10, 1, 1));
    const now = Array.from({ length: 8 }, () => raw(10, null, 100));
    expect(predict([...old, ...now], rawOf(10))).toBeNull();
    expect(predictImage([...old, ...now.slice(0, 4)], rawOf(10))).toBe(1);
  });

  it('never falls below a second, nor with the size', () => {
    expect(predict([raw(10, 0, 0), raw(100, 5, 0)], rawOf(1))?.volumeSeconds).toBe(1);
    expect(predict([raw(10, 50, 50), raw(100, 5, 5)], rawOf(1000))?.volumeSeconds).toBeGreaterThanOrEqual(5);
  });
});

describe('which samples count', () => {
  it('are those of the cloud, however its URL is written, its region and the volume type', () => {
    const all = [
      sample(),
      sample({ auth_url: 'https://keystone.example' }),
      sample({ auth_url: 'https://other.example/v3' }),
      sample({ region: null }),
      sample({ volume_type: 'ssd' }),
    ];
    const here = ofCloud(all, { auth_url: 'https://keystone.example/v3/', region: 'RegionOne' });
    expect(here).toEqual([all[0], all[1], all[4]]);
    expect(ofVolumeType(here, 'ssd')).toEqual([all[4]]);
    expect(ofVolumeType(here, null)).toEqual([all[0], all[1]]);
  });

  it('keep no secret of a URL', () => {
    expect(placeUrl('https://user:secret@keystone.example:5000/identity/v3/?token=abc#x')).toBe(
      'https://keystone.example:5000/identity',
    );
    expect(placeUrl('no url')).toBe('');
  });

  it('are bounded: the oldest of a kind go, and the oldest of all', () => {
    let all = [sample({ at: 'kept', volume_type: 'ssd' })];
    for (let at = 0; at < 20; at++) all = withSample(all, sample({ at: String(at) }));
    expect(all.map(({ at }) => at)).toEqual(['kept', ...Array.from({ length: 8 }, (_, index) => String(12 + index))]);
    for (let type = 0; type < 1000; type++) all = withSample(all, sample({ volume_type: `t${type}` }));
    expect(all.length).toBe(400);
    expect(all.at(-1)?.volume_type).toBe('t999');
  });
});
