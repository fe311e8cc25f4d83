import { expect, it } from 'vitest';
import { Reporter } from '../../src/ui/index.js';

it('says what a step is about once', () => {
  let text = '';
  const terminal = {
    out: () => undefined,
    err: (more: string) => (text += more),
    live: false,
    interactive: false,
    color: false,
    width: () => 80,
    tableWidth: null,
    quiet: false,
    verbose: false,
    errStream: process.stderr,
  };
  const { show } = new Reporter(terminal, () => 0);
  show({ kind: 'step.finished', step: 'volume:scsi0:0', subject: 'volume web01-scsi0:0', seconds: 3, summary: 'ok' });
  show({ kind: 'step.finished', step: 'boot', subject: 'server web01', seconds: 3, summary: 'ok' });
  expect(text).toMatch(/^volume {3}web01-scsi0:0 +3 s {3}ok\nboot {5}server web01 +3 s {3}ok\n$/);
});
