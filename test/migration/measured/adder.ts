import { MeasuredTimes } from '../../../src/migration/measured/store.js';
import { sample } from './sample.js';

// A program of its own for store.test.ts: one of several that remember something at once.
const [path = '', type = ''] = process.argv.slice(2);
const events = { emit: () => undefined, ask: () => Promise.reject(new Error('nobody answers')) };
const ctx = { events, log: { debug: () => undefined } };
const times = new MeasuredTimes(path);
for (let count = 0; count < 4; count++) await times.add(sample({ volume_type: type }), ctx);
