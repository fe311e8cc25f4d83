import type { MeasuredSample } from '../../../src/migration/measured/samples.js';

const GIB = 1024 ** 3;

/** A sample as a run of a 40 GiB disk would leave it. */
export function sample(given: Partial<MeasuredSample> = {}): MeasuredSample {
  return {
    at: '2026-11-25T00:00:00.000Z',
    auth_url: 'https://keystone.example/v3',
    region: 'RegionOne',
    volume_type: null,
    format: 'qcow2',
    image_bytes: 4 * GIB,
    volume_gib: 40,
    image_seconds: 40,
    volume_seconds: 20,
    ...given,
  };
}
