// The VMs: search, filter, sort, and a row that opens. Only what is seen is made: rows come a page at a time.

const PAGE = 100;
/** As many are opened for a print of their own accord; of more, a person opens the ones that matter. */
const PRINT_DETAILS = 100;

/** @param {PackedReport} report */
function vmTable(report) {
  const texts = report.vms.map((vm) => searchText(vm, report.all_findings));
  const codes = report.vms.map((vm) => new Set(vm.findings.map((place) => report.all_findings[place]?.code ?? '')));
  const runsByName = new Map(report.runs.map((run) => [run.run, run]));
  const view = {
    search: '',
    readiness: /** @type {Readiness | 'all'} */ ('all'),
    code: '',
    sort: 'name',
    down: false,
    limit: PAGE,
    open: new Set(report.vms.length <= 2 ? report.vms.keys() : []),
  };
  /** Places of the VMs that fit, sorted. @type {number[]} */
  let fitting = [];

  const body = el('tbody');
  const count = el('p', { id: 'count', role: 'status', class: 'muted' });
  const more = el('button', { type: 'button', class: 'button', onclick: showMore });
  const search = el('input', {
    type: 'search',
    id: 'search',
    autocomplete: 'off',
    spellcheck: 'false',
    oninput: () => change({ search: search.value }),
  });
  const codeSelect = el(
    'select',
    { id: 'code', onchange: () => change({ code: codeSelect.value }) },
    el('option', { value: '' }, 'any or none'),
    ...[...new Set(report.findings.map(({ code }) => code))].map((code) =>
      el('option', { value: code }, visible(code)),
    ),
  );
  const readiness = readinessChoice(report, (chosen) => change({ readiness: chosen }));
  const headings = columns.map((column) => ({
    column,
    node: el(
      'th',
      { scope: 'col', class: column.class ?? null },
      el(
        'button',
        { type: 'button', class: 'sort', onclick: () => sortBy(column.key) },
        column.text,
        svg(
          'svg',
          { class: 'arrow', viewBox: '0 0 8 8', width: 8, height: 8, 'aria-hidden': 'true' },
          svg('path', { d: 'M4 1 7 7H1Z' }),
        ),
      ),
    ),
  }));

  /** @param {Partial<typeof view>} changed */
  function change(changed) {
    Object.assign(view, { limit: PAGE }, changed);
    draw();
  }

  /** @param {string} key */
  function sortBy(key) {
    change({ sort: key, down: view.sort === key ? !view.down : false });
  }

  function showMore() {
    const first = view.limit;
    view.limit += PAGE * 5;
    draw();
    const next = body.querySelectorAll('button.open')[first];
    if (next instanceof HTMLElement) next.focus();
  }

  function draw() {
    const words = view.search.toLowerCase().split(/\s+/).filter(Boolean);
    const column = columns.find(({ key }) => key === view.sort);
    fitting = [...report.vms.keys()].filter(
      (place) =>
        (view.readiness === 'all' || (report.vms[place]?.readiness === view.readiness && !report.vms[place].moved)) &&
        (view.code === '' || codes[place]?.has(view.code)) &&
        words.every((word) => texts[place]?.includes(word)),
    );
    if (column) fitting.sort((a, b) => compare(column, a, b));
    for (const {
      column: { key },
      node,
    } of headings) {
      if (key === view.sort) node.setAttribute('aria-sort', view.down ? 'descending' : 'ascending');
      else node.removeAttribute('aria-sort');
    }
    drawRows(view.limit);
    const all = report.vms.length;
    count.textContent =
      fitting.length === all ? counted(all, 'VM') : `${formatCount(fitting.length)} of ${counted(all, 'VM')}`;
  }

  /** @param {number} limit */
  function drawRows(limit) {
    body.replaceChildren(...fitting.slice(0, limit).flatMap(rowsOf));
    if (fitting.length === 0) {
      body.append(el('tr', {}, el('td', { colspan: columns.length, class: 'muted' }, 'No VM fits.')));
    }
    const left = fitting.length - limit;
    more.hidden = left <= 0;
    more.textContent = `Show ${formatCount(Math.min(left, PAGE * 5))} more of ${formatCount(Math.max(left, 0))}`;
  }

  /**
   * @param {Column} column
   * @param {number} a
   * @param {number} b
   */
  function compare(column, a, b) {
    const [one, other] = [report.vms[a], report.vms[b]];
    if (!one || !other) return 0;
    const [x, y] = [column.by(one), column.by(other)];
    if (x === null || y === null) return x === y ? a - b : x === null ? 1 : -1;
    const order = typeof x === 'number' && typeof y === 'number' ? x - y : collator.compare(String(x), String(y));
    return (view.down ? -order : order) || collator.compare(one.name, other.name) || a - b;
  }

  /** @param {number} place */
  function rowsOf(place) {
    const vm = report.vms[place];
    if (!vm) return [];
    const open = view.open.has(place);
    const button = el(
      'button',
      {
        type: 'button',
        class: 'open',
        'aria-expanded': String(open),
        'aria-controls': `vm-${place}`,
        onclick: () => toggle(place, row, button),
      },
      svg(
        'svg',
        { class: 'chevron', viewBox: '0 0 8 8', width: 9, height: 9, 'aria-hidden': 'true' },
        svg('path', { d: 'M2 1 6 4 2 7Z' }),
      ),
    );
    const row = el(
      'tr',
      { class: `vm${open ? ' opened' : ''}` },
      ...columns.map((column, index) => {
        const cell = column.cell(vm);
        if (index > 0) return el('td', { class: column.class ?? null }, cell);
        append(button, [cell]);
        return el('th', { scope: 'row' }, button);
      }),
    );
    return open ? [row, detailsRow(place)] : [row];
  }

  /** @param {number} place */
  function detailsRow(place) {
    const vm = report.vms[place];
    if (!vm) throw new Error('no such VM');
    const findings = vm.findings.flatMap((at) => report.all_findings[at] ?? []);
    const runs = vm.runs.flatMap((name) => runsByName.get(name) ?? []);
    return el(
      'tr',
      { id: `vm-${place}`, class: 'more' },
      el('td', { colspan: columns.length }, detailsOf(vm, findings, runs)),
    );
  }

  /**
   * @param {number} place
   * @param {HTMLElement} row
   * @param {HTMLElement} button
   */
  function toggle(place, row, button) {
    const open = !view.open.has(place);
    if (open) {
      view.open.add(place);
      row.after(detailsRow(place));
    } else {
      view.open.delete(place);
      byId(`vm-${place}`).remove();
    }
    row.classList.toggle('opened', open);
    button.setAttribute('aria-expanded', String(open));
  }

  const note = el('p', { class: 'muted print' });
  // A print shows all that fit the filter, with their details as far as paper is patient.
  addEventListener('beforeprint', () => {
    const before = view.open;
    const all = fitting.length <= PRINT_DETAILS;
    if (all) view.open = new Set(fitting);
    note.textContent = all
      ? ''
      : `More than ${PRINT_DETAILS} VMs: details are printed of those that were open (${formatCount(before.size)}).`;
    drawRows(Infinity);
    addEventListener(
      'afterprint',
      () => {
        view.open = before;
        draw();
      },
      { once: true },
    );
  });

  draw();
  return {
    /** @param {string} code */
    showCode(code) {
      codeSelect.value = code;
      search.value = '';
      readiness.reset();
      change({ code, search: '', readiness: 'all' });
    },
    node: section(
      'vms',
      'VMs',
      el(
        'form',
        { class: 'filters', role: 'search', 'aria-label': 'VMs', onsubmit: (event) => event.preventDefault() },
        el('div', { class: 'field grow' }, el('label', { for: 'search' }, 'Search'), search),
        el('div', { class: 'field' }, el('label', { for: 'code' }, 'Finding'), codeSelect),
        readiness.node,
      ),
      count,
      note,
      scroller(
        'VMs',
        el(
          'table',
          { class: 'vms' },
          el('caption', { class: 'hidden' }, 'VMs, a row each; a name opens its details'),
          el('thead', {}, el('tr', {}, ...headings.map(({ node }) => node))),
          body,
        ),
      ),
      more,
    ),
  };
}

/**
 * All, or those of one readiness, each with its number.
 * @param {PackedReport} report
 * @param {(chosen: Readiness | 'all') => void} choose
 */
function readinessChoice({ totals, vms }, choose) {
  const still = (/** @type {Readiness} */ key) => vms.filter((vm) => !vm.moved && vm.readiness === key).length;
  /** @type {[Readiness | 'all', Child, number][]} */
  const choices = [
    ['all', 'All', totals.vms],
    ...READINESS.map(
      (key) =>
        /** @type {[Readiness, Child, number]} */ ([key, badge(readinessKinds[key], readinessWords[key]), still(key)]),
    ),
  ];
  const labels = choices.map(([value, word, number]) =>
    el(
      'label',
      {},
      el('input', { type: 'radio', name: 'readiness', value, checked: value === 'all', onchange: () => choose(value) }),
      el('span', {}, word, el('span', { class: 'muted' }, ` ${formatCount(number)}`)),
    ),
  );
  return {
    node: el('fieldset', { class: 'choice' }, el('legend', {}, 'Readiness'), el('div', {}, ...labels)),
    reset() {
      const first = labels[0]?.querySelector('input');
      if (first) first.checked = true;
    },
  };
}
