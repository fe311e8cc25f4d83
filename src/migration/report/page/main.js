// Puts the report together from the data that lies in the page.

/** @type {PackedReport} */
const report = JSON.parse(byId('data').textContent ?? '');
const table = vmTable(report);
const title = report.host?.name ?? report.run?.vm?.name;
if (title) document.title = `${visible(title)} · migration report`;
byId('head').append(...headOf(report));
byId('main').replaceChildren(
  ...[
    ...report.runs.map(runOf),
    totalsOf(report),
    report.totals.moved < report.totals.vms ? readinessOf(report) : null,
    findingsOf(report, (code) => {
      table.showCode(code);
      byId('vms').scrollIntoView();
      byId('search').focus({ preventScroll: true });
    }),
    table.node,
    skippedOf(report),
  ].flatMap((part) => part ?? []),
);
byId('foot').append(
  el(
    'p',
    {},
    'Made by ',
    `stackferry ${visible(report.program)}`,
    ' · nothing was changed for it, on the host or in the cloud.',
  ),
);
