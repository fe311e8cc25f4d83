import type { Report } from './types.js';

/** The report for programs. */
export function renderReportJson(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}
