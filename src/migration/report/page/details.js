// What an engineer reads of one VM; made when it is opened.

/**
 * @param {PackedVm} vm
 * @param {readonly ReportFinding[]} findings
 * @param {readonly ReportRun[]} runs
 */
function detailsOf(vm, findings, runs) {
  return el(
    'div',
    { class: 'details' },
    runs.length === 0 ? null : runLinks(runs),
    facts([
      ['Id', foreign(vm.id)],
      ['UUID', el('code', {}, foreign(vm.uuid ?? '–'))],
      ['Guest', foreign(vm.guest_id ?? '–')],
      ['Hardware', foreign([vm.hardware_version, vm.firmware].flatMap((part) => part ?? []).join(', ') || '–')],
      ['Snapshots', formatCount(vm.snapshots)],
      ['Provisioned, held', `${formatBytes(vm.capacity_bytes)}, ${formatBytes(vm.allocated_bytes)}`],
      ['Time to copy', vm.moved ? 'moved' : formatSeconds(vm.estimate_seconds)],
      ['Configuration', el('code', {}, foreign(vm.vmx_path))],
      ...(vm.target ? targetFacts(vm.target) : []),
    ]),
    el('h3', {}, 'Findings'),
    findings.length === 0
      ? el('p', {}, badge('good', 'Nothing stands in its way.'))
      : el('ul', { class: 'plain' }, ...findings.map(findingOf)),
    el('h3', {}, 'Disks'),
    vm.disks.length === 0 ? el('p', { class: 'muted' }, 'It has none.') : disksOf(vm),
    el('h3', {}, 'NICs'),
    vm.nics.length === 0 ? el('p', { class: 'muted' }, 'It has none.') : nicsOf(vm),
  );
}

/**
 * @param {NonNullable<PackedVm['target']>} target
 * @returns {[string, Child][]}
 */
function targetFacts({ server, volumes, ports }) {
  const volumesText = volumes.map(({ label, size_gib, type }) => `${label} ${size_gib} GiB${type ? ` (${type})` : ''}`);
  const networks = ports.map(({ label, network }) => `${label} ${network ?? '–'}`);
  /** @type {[string, Child][]} */
  const rows = [];
  if (server) {
    rows.push(['Target', foreign(`${server.name}, ${server.flavor}`)]);
    rows.push(['Server', el('code', {}, foreign(server.server_id ?? 'not made'))]);
  }
  if (volumesText.length > 0) rows.push(['Volumes', foreign(volumesText.join(', '))]);
  if (networks.length > 0) rows.push(['Networks', foreign(networks.join(', '))]);
  return rows;
}

/** @param {ReportFinding} finding */
function findingOf({ code, severity, subject, message, remedy }) {
  const kind = severityKinds[severity];
  return el(
    'li',
    { class: `callout ${kind}` },
    el(
      'p',
      {},
      badge(kind, severityWords[severity]),
      el('code', {}, foreign(code)),
      subject === 'vm' ? null : el('span', { class: 'tag' }, foreign(subject)),
    ),
    el('p', {}, foreign(message)),
    el('p', {}, el('strong', {}, 'Remedy: '), foreign(remedy)),
  );
}

/** @param {readonly ReportRun[]} runs */
function runLinks(runs) {
  return el(
    'p',
    { class: 'links' },
    ...runs.flatMap((run) => {
      const [kind, word] = runStates[run.state];
      return [badge(kind, word), el('a', { href: `#run-${run.run}` }, `Run ${run.run}`)];
    }),
  );
}

/** @param {PackedVm} vm */
function disksOf(vm) {
  return dataTable(
    `Disks of ${visible(vm.name)}`,
    [
      { text: 'Disk' },
      { text: 'Path' },
      { text: 'Size', class: 'num' },
      { text: 'Held', class: 'num' },
      { text: 'Controller' },
      { text: 'Kind' },
      { text: 'Mode' },
    ],
    vm.disks.map((disk) => [
      foreign(disk.label),
      el('code', {}, foreign(disk.path ?? '–')),
      sizeOrDash(disk.capacity_bytes),
      sizeOrDash(disk.allocated_bytes),
      disk.controller ?? '–',
      disk.kind ?? '–',
      disk.shared ? `${disk.mode}, shared` : disk.mode,
    ]),
  );
}

/** @param {PackedVm} vm */
function nicsOf(vm) {
  return dataTable(
    `NICs of ${visible(vm.name)}`,
    [
      { text: 'NIC' },
      { text: 'Model' },
      { text: 'MAC' },
      { text: 'Network' },
      { text: 'VLAN', class: 'num' },
      { text: 'Connected' },
      { text: 'Addresses' },
    ],
    vm.nics.map((nic) => [
      foreign(nic.label),
      nic.model ?? '–',
      el('code', {}, foreign(nic.mac ?? '–')),
      foreign(nic.network ?? '–'),
      nic.vlan_id === null ? '–' : nic.vlan_id === 4095 ? 'trunk' : nic.vlan_id,
      nic.connected === null ? '–' : nic.connected ? 'yes' : 'no',
      nic.ip_addresses.length === 0 ? '–' : foreign(nic.ip_addresses.join(', ')),
    ]),
  );
}
