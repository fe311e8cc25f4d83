// What a manager reads: the host, the totals, the readiness as a chart, the time, the findings by their number.

/** @param {PackedReport} report */
function headOf(report) {
  const { host } = report;
  const product = host ? [host.product, host.version, host.build === null ? null : `build ${host.build}`] : [];
  const license = host?.license ? `licence ${host.license}` : null;
  return [
    el('p', { class: 'eyebrow' }, 'Migration report'),
    el('h1', {}, foreign(host?.name ?? report.runs.at(-1)?.vm?.name ?? report.source.name)),
    el(
      'p',
      { class: 'muted' },
      ...[...product, license].flatMap((part) => (part === null ? [] : [foreign(part), '  ·  '])),
      'made ',
      el('time', { datetime: report.generated_at }, shortTime(report.generated_at)),
      ` from ${report.source_text}`,
    ),
    ...(report.age_warning === null ? [] : [el('p', { class: 'old' }, report.age_warning)]),
  ];
}

/** @param {PackedReport} report */
function totalsOf({ totals }) {
  /** @type {[string, string, string][]} */
  const cards = [
    [
      'VMs',
      formatCount(totals.vms),
      totals.moved > 0 ? `${formatCount(totals.moved)} moved` : counted(totals.disks, 'disk'),
    ],
    ['vCPUs', formatCount(totals.vcpus), ''],
    ['Memory', formatBytes(totals.memory_mib * 1024 * 1024), ''],
    ['Provisioned', formatBytes(totals.capacity_bytes), 'what the guests see'],
    ['Held', formatBytes(totals.allocated_bytes), 'by the datastores'],
    ['To move', formatBytes(totals.to_move_bytes), 'read from the host'],
  ];
  const unknown = totals.disks_of_unknown_size;
  return section(
    'totals',
    'Totals',
    el(
      'dl',
      { class: 'cards' },
      ...cards.map(([name, value, note]) =>
        el('div', {}, el('dt', {}, name), el('dd', {}, value), note === '' ? null : el('dd', { class: 'muted' }, note)),
      ),
    ),
    unknown === 0
      ? null
      : el(
          'p',
          { class: 'muted' },
          `The host did not say all of ${counted(unknown, 'disk')}: sums are short of what is not known.`,
        ),
  );
}

/** @param {PackedReport} report */
function readinessOf(report) {
  const { totals, estimate } = report;
  const share = (/** @type {Readiness} */ key) => Math.round((totals[key] / Math.max(1, totals.vms)) * 100);
  return section(
    'readiness',
    'Readiness',
    chart(totals),
    dataTable(
      'VMs by readiness, with the time to copy them',
      [
        { text: 'Readiness' },
        { text: 'VMs', class: 'num' },
        { text: 'Share', class: 'num wide' },
        { text: 'To move', class: 'num' },
        { text: 'Time to copy', class: 'num' },
        { text: 'What it means', class: 'wide' },
      ],
      [
        ...READINESS.map((key) => {
          const { to_move_bytes, seconds } = estimate.by_readiness[key];
          return [
            badge(readinessKinds[key], readinessWords[key]),
            formatCount(totals[key]),
            `${share(key)} %`,
            formatBytes(to_move_bytes),
            formatSeconds(seconds),
            el('span', { class: 'muted' }, readinessMeaning[key]),
          ];
        }),
        [
          el('strong', {}, 'All'),
          el('strong', {}, formatCount(totals.vms)),
          '',
          el('strong', {}, formatBytes(totals.to_move_bytes)),
          el('strong', {}, formatSeconds(estimate.seconds)),
          totals.moved === 0 ? '' : el('span', { class: 'muted' }, `${formatCount(totals.moved)} moved already`),
        ],
      ],
    ),
    totals.blocked_by_power_only === 0
      ? null
      : el(
          'p',
          { class: 'note' },
          icon('info'),
          `Of the blocked, ${formatCount(totals.blocked_by_power_only)} only have to be shut down: they run now, and nothing else stands in their way.`,
        ),
    el(
      'p',
      { class: 'muted small' },
      `The time is at ${formatRate(estimate.rate_bytes_per_second)}, one VM after another. ${report.basis_text}`,
    ),
  );
}

/**
 * A bar of the three parts. Each has its number in it where there is room, and a pattern where there is no colour.
 * @param {PackedReport['totals']} totals
 */
function chart(totals) {
  const shown = READINESS.filter((key) => totals[key] > 0);
  // A part that is there is seen, however small.
  const raw = shown.map((key) => Math.max(1, (totals[key] / Math.max(1, totals.vms)) * 100));
  const all = raw.reduce((sum, value) => sum + value, 0);
  let x = 0;
  const parts = shown.map((key, index) => {
    const width = ((raw[index] ?? 0) / all) * 100;
    const place = { x: `${x}%`, y: 0, width: `${width}%`, height: '100%' };
    const middle = x + width / 2;
    x += width;
    return svg(
      'g',
      { class: readinessKinds[key] },
      svg('rect', { ...place, class: `fill part ${readinessKinds[key]}` }),
      key === 'ready' ? null : svg('rect', { ...place, class: 'part', fill: `url(#pattern-${key})` }),
      width < 6
        ? null
        : svg('text', { x: `${middle}%`, y: '50%', 'text-anchor': 'middle', dy: '0.35em' }, formatCount(totals[key])),
    );
  });
  const said = READINESS.map((key) => `${readinessWords[key]}: ${formatCount(totals[key])}`).join(', ');
  return svg(
    'svg',
    { class: 'chart', role: 'img', 'aria-label': `VMs by readiness. ${said}` },
    svg('defs', {}, pattern('remedies', 45), pattern('blocked', -45)),
    ...(parts.length === 0 ? [svg('rect', { width: '100%', height: '100%', class: 'fill none' })] : parts),
  );
}

/**
 * Thin stripes.
 * @param {Readiness} key
 * @param {number} degrees
 */
function pattern(key, degrees) {
  return svg(
    'pattern',
    {
      id: `pattern-${key}`,
      width: key === 'blocked' ? 5 : 10,
      height: 10,
      patternUnits: 'userSpaceOnUse',
      patternTransform: `rotate(${degrees})`,
    },
    svg('rect', { width: key === 'blocked' ? 1 : 2, height: 10, class: 'hatch' }),
  );
}

/**
 * @param {PackedReport} report
 * @param {(code: string) => void} show shows the VMs that have it
 */
function findingsOf(report, show) {
  if (report.findings.length === 0) {
    return section('findings', 'Findings', el('p', {}, badge('good', 'Nothing was found that stands in the way.')));
  }
  const most = Math.max(...report.findings.map(({ vms }) => vms));
  return section(
    'findings',
    'Findings',
    dataTable(
      'Findings by their number',
      [
        { text: 'Severity' },
        { text: 'Code' },
        { text: 'VMs', class: 'num' },
        { text: '', class: 'bar wide' },
        { text: 'For example', class: 'wide' },
        { text: '', class: 'screen' },
      ],
      report.findings.map(({ severity, code, vms, count, example }) => [
        badge(severityKinds[severity], severityWords[severity]),
        el('code', {}, foreign(code)),
        el('span', { title: count === vms ? null : `found ${formatCount(count)} times` }, formatCount(vms)),
        svg(
          'svg',
          { class: 'meter', viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
          svg('rect', { width: 100, height: 8, class: 'track' }),
          svg('rect', {
            width: Math.max(1.5, (vms / most) * 100),
            height: 8,
            class: `fill ${severityKinds[severity]}`,
          }),
        ),
        el('span', {}, foreign(example.message)),
        el(
          'button',
          { type: 'button', class: 'link', 'aria-label': `Show the VMs with ${code}`, onclick: () => show(code) },
          'Show',
        ),
      ]),
    ),
  );
}

/** @param {PackedReport} report */
function skippedOf({ skipped }) {
  if (skipped.length === 0) return null;
  return section(
    'skipped',
    'Not readable',
    el(
      'p',
      { class: 'muted' },
      'The host lists these VMs, and what it says of them could not be read. They are in no sum.',
    ),
    dataTable(
      'VMs that could not be read',
      [{ text: 'Name' }, { text: 'Id' }, { text: 'Why' }],
      skipped.map((vm) => [foreign(vm.name ?? '–'), foreign(vm.id), foreign(vm.reason)]),
    ),
  );
}
