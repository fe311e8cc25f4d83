// A run: where it went, its steps by time, what was made, what was proved and what was not.

/** @type {Record<ReportRun['state'], [string, string]>} */
const runStates = {
  done: ['good', 'Done'],
  failed: ['bad', 'Failed'],
  stopped: ['warn', 'Stopped'],
  running: ['info', 'Running when this was made'],
  rolled_back: ['off', 'Rolled back'],
};

/** @type {Record<ReportRun['timeline']['steps'][number]['state'], [string, string]>} */
const stepStates = {
  done: ['good', 'done'],
  failed: ['bad', 'failed'],
  cut_off: ['warn', 'cut off'],
  running: ['info', 'running'],
};

/** @param {ReportRun} run */
function runOf(run) {
  const { target, error } = run;
  const [kind, word] = runStates[run.state];
  const place = [target.cloud, target.project, target.region].flatMap((part) => (part === null ? [] : [part]));
  return section(
    `run-${run.run}`,
    `Run ${run.run}`,
    el(
      'p',
      { class: 'lead' },
      badge(kind, word),
      el(
        'span',
        {},
        foreign(run.vm?.name ?? `${run.command} of files`),
        ...(target.server ? [' → ', foreign(target.server.name)] : []),
      ),
      place.length === 0 ? null : el('span', { class: 'muted' }, 'in ', foreign(place.join(' / '))),
    ),
    error
      ? el(
          'div',
          { class: 'callout bad', role: 'note' },
          el('p', {}, icon('bad'), el('strong', {}, el('code', {}, foreign(error.code)))),
          el('p', {}, foreign(error.message)),
          error.hint === null ? null : el('p', {}, el('strong', {}, 'What to do: '), foreign(error.hint)),
        )
      : null,
    facts([
      ['Began', shortTime(run.opened_at)],
      ['Work', formatSeconds(run.timeline.active_seconds)],
      ['From', foreign(run.source_host ?? '–')],
      ['By', el('code', {}, `stackferry ${run.command}`)],
    ]),
    run.timeline.steps.length === 0 ? null : el('h3', {}, 'Timeline'),
    run.timeline.steps.length === 0 ? null : timelineOf(run),
    el('h3', {}, 'In the cloud'),
    targetOf(run),
    run.proofs.length === 0 ? null : el('h3', {}, 'Proofs'),
    run.proofs.length === 0 ? null : proofsOf(run),
    run.warnings.length === 0 ? null : el('h3', {}, 'Warnings'),
    run.warnings.length === 0
      ? null
      : el(
          'ul',
          { class: 'plain' },
          ...run.warnings.map(({ code, message }) =>
            el(
              'li',
              { class: 'callout warn' },
              el('p', {}, icon('warn'), el('code', {}, foreign(code))),
              el('p', {}, foreign(message)),
            ),
          ),
        ),
  );
}

/** @param {ReportRun} run */
function timelineOf({ timeline }) {
  const total = Math.max(timeline.active_seconds, 0.001);
  const table = dataTable(
    'Steps by time',
    [
      { text: 'Step' },
      { text: '', class: 'bar' },
      { text: 'Took', class: 'num' },
      { text: 'Bytes', class: 'num wide' },
      { text: 'Rate', class: 'num wide' },
      { text: 'State' },
    ],
    timeline.steps.map((step) => {
      const [kind, word] = stepStates[step.state];
      const width = Math.max(0.8, (step.seconds / total) * 100);
      const x = Math.min((step.offset_seconds / total) * 100, 100 - width);
      return [
        el('span', { title: `began ${step.started_at}` }, foreign(step.title)),
        svg(
          'svg',
          { class: 'meter', viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
          svg('rect', { width: 100, height: 8, class: 'track' }),
          svg('rect', { x: Math.max(0, x), width, height: 8, class: `fill ${kind === 'good' ? 'accent' : kind}` }),
        ),
        formatSeconds(step.seconds),
        sizeOrDash(step.bytes),
        step.rate_bytes_per_second === null ? '–' : formatRate(step.rate_bytes_per_second),
        badge(kind, word),
      ];
    }),
  );
  table.classList.add('timeline');
  const { pauses } = timeline;
  if (pauses.length === 0) return table;
  const said = pauses.map(
    ({ seconds, offset_seconds }) => `${formatSeconds(seconds)} after ${formatSeconds(offset_seconds)} of work`,
  );
  return el('div', {}, table, el('p', { class: 'muted' }, `Pauses between sessions are left out: ${said.join('; ')}.`));
}

/** @param {ReportRun} run */
function targetOf({ target }) {
  /** @type {Child[][]} */
  const rows = [];
  const id = (/** @type {string | null} */ value) => (value === null ? 'not made' : el('code', {}, foreign(value)));
  if (target.server) {
    const { name, server_id, flavor, flavor_reason, zone } = target.server;
    const more = [zone === null ? '' : `zone ${zone}`, flavor_reason].filter((part) => part !== '').join('; ');
    rows.push([
      'Server',
      foreign(name),
      id(server_id),
      el('span', {}, foreign(flavor), more === '' ? null : el('span', { class: 'muted' }, ' ', foreign(more))),
    ]);
  }
  for (const { label, image_id } of target.images) rows.push(['Image', foreign(label ?? '–'), id(image_id), '']);
  for (const item of target.volumes) {
    rows.push([
      'Volume',
      foreign(item.label),
      id(item.volume_id),
      foreign(`${item.size_gib} GiB${item.type === null ? '' : `, ${item.type}`}`),
    ]);
  }
  for (const item of target.ports) {
    const more = [item.network, item.mac, ...item.ip_addresses].flatMap((part) => part ?? []);
    rows.push(['Port', foreign(item.label), id(item.port_id), foreign(more.join(', '))]);
  }
  if (rows.length === 0) return el('p', { class: 'muted' }, 'Nothing was made there, and nothing planned.');
  return dataTable('What is in the cloud', [{ text: 'What' }, { text: 'Name' }, { text: 'Id' }, { text: '' }], rows);
}

/** @param {ReportRun} run */
function proofsOf({ proofs }) {
  return el(
    'ul',
    { class: 'proofs' },
    ...proofs.map(({ subject, claim, proved, detail }) =>
      el(
        'li',
        {},
        badge(proved ? 'good' : 'off', proved ? 'Proved' : 'Not proved'),
        el(
          'div',
          {},
          el('strong', {}, foreign(subject)),
          ` ${claim}`,
          el('div', { class: /:[0-9a-f]{32,}$/.test(detail) ? 'muted code' : 'muted' }, foreign(detail)),
        ),
      ),
    ),
  );
}
