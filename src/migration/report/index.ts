/** The report: its model, and what it is written as. */
import { renderHtml } from './html.js';
import { renderReportJson } from './json.js';
import { renderMarkdown } from './markdown.js';
import type { Report } from './types.js';

export { buildReport, type ReportInput } from './model.js';
export type { RunInput } from './run.js';
export { targetsOfPlan } from './planned.js';
export { parseSavedInventory } from '../saved-inventory.js';
export type { Report } from './types.js';

/** The report as a text, with a line end. */
export async function renderReport(format: 'html' | 'md' | 'json', report: Report): Promise<string> {
  switch (format) {
    case 'html':
      return renderHtml(report);
    case 'md':
      return renderMarkdown(report);
    case 'json':
      return renderReportJson(report);
  }
}
