export type { ByteOutput } from './byte-output.js';
export { renderError } from './errors.js';
export { ask } from './prompt.js';
export { Reporter } from './reporter.js';
export { render, renderJson, renderTable, renderYaml, type Column, type Format } from './table.js';
export { printable, type Terminal } from './terminal.js';
