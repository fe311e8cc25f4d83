import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ageWarning, basisText, sourceText } from './words.js';
import type { PackedReport, Report, ReportFinding } from './types.js';

/** The page's own files, in the order in which they are put together. The build copies them beside this module. */
const SCRIPTS = ['dom.js', 'words.js', 'summary.js', 'run.js', 'details.js', 'columns.js', 'table.js', 'main.js'];

/**
 * The report as one file that asks for nothing: its style and script lie in it and are the only ones that its policy
 * lets through, by their hashes; the data is there once, as JSON, and is set as text.
 */
export async function renderHtml(report: Report): Promise<string> {
  const [style = '', ...scripts] = await Promise.all(['style.css', ...SCRIPTS].map(pageFile));
  const script = `(() => {\n'use strict';\n${scripts.join('\n')}\n})();\n`;
  const policy = [
    "default-src 'none'",
    `style-src '${hashOf(style)}'`,
    `script-src '${hashOf(script)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>Migration report</title>
<style>${style}</style>
</head>
<body>
<a class="skip" href="#vms">Skip to the VMs</a>
<header id="head" class="page"></header>
<main id="main" class="page">
<noscript><p>A script that lies in this file draws the report. Where scripts are off, use: stackferry report -f md</p></noscript>
</main>
<footer id="foot" class="page"></footer>
<script type="application/json" id="data">${scriptJson(pack(report))}</script>
<script>${script}</script>
</body>
</html>
`;
}

/** JSON that cannot end its script element, nor begin a comment in it, whatever a VM is called. */
function scriptJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** Findings repeat: each is there once, and a VM has their places in the list. */
function pack(report: Report): PackedReport {
  const places = new Map<string, number>();
  const all: ReportFinding[] = [];
  const placeOf = (finding: ReportFinding): number => {
    const key = JSON.stringify(finding);
    const known = places.get(key);
    if (known !== undefined) return known;
    places.set(key, all.length);
    return all.push(finding) - 1;
  };
  return {
    ...report,
    all_findings: all,
    vms: report.vms.map((vm) => ({ ...vm, findings: vm.findings.map(placeOf) })),
    basis_text: basisText(report.estimate),
    source_text: sourceText(report),
    age_warning: ageWarning(report),
  };
}

function pageFile(name: string): Promise<string> {
  return readFile(new URL(`./page/${name}`, import.meta.url), 'utf8');
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
