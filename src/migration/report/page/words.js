// How things are said. Sizes, rates and times read as the program prints them (src/core/units.ts; a test compares).

/** @param {number} bytes */
function formatBytes(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const text = unit === 0 || Number.isInteger(value) || value >= 100 ? value.toFixed(0) : value.toFixed(1);
  return `${text.replace(/\.0$/, '')} ${units[unit] ?? 'B'}`;
}

/** @param {number} bytesPerSecond */
function formatRate(bytesPerSecond) {
  return `${formatBytes(Math.max(0, Math.round(bytesPerSecond)))}/s`;
}

/** @param {number} seconds */
function formatSeconds(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`;
}

/** @param {number | null} bytes */
function sizeOrDash(bytes) {
  return bytes === null ? '–' : formatBytes(bytes);
}

/** @param {number} value */
function formatCount(value) {
  return value.toLocaleString('en');
}

/**
 * @param {number} value
 * @param {string} noun
 */
function counted(value, noun) {
  return `${formatCount(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** @param {string} iso */
function shortTime(iso) {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}

/** @type {Readiness[]} */
const READINESS = ['ready', 'remedies', 'blocked'];

/** @type {Record<Readiness, string>} */
const readinessWords = { ready: 'Ready', remedies: 'With remedies', blocked: 'Blocked' };

/** @type {Record<Readiness, string>} */
const readinessMeaning = {
  ready: 'can move as they are',
  remedies: 'move, and something has to be done before or after',
  blocked: 'cannot move until something is done',
};

/** @type {Record<Severity, string>} */
const severityWords = { blocker: 'Blocker', warning: 'Warning', info: 'Info' };

/** A shape for each state, so that none is told by its colour alone. */
/** @type {Record<string, string>} */
const shapes = {
  good: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.7 5.2-4.3 4.9a.8.8 0 0 1-1.2 0L4.3 9.2l1.1-1.1 1.4 1.4 3.8-4.3 1.1 1Z',
  warn: 'M8.9 1.6a1 1 0 0 0-1.8 0L.7 13.4a1 1 0 0 0 .9 1.5h12.8a1 1 0 0 0 .9-1.5L8.9 1.6ZM7.2 5.5h1.6v4.6H7.2V5.5Zm0 5.8h1.6v1.6H7.2v-1.6Z',
  bad: 'M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1L5.1 1Zm.5 3.5L4.5 5.6 6.9 8l-2.4 2.4 1.1 1.1L8 9.1l2.4 2.4 1.1-1.1L9.1 8l2.4-2.4-1.1-1.1L8 6.9 5.6 4.5Z',
  info: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm-.8 3h1.6v1.6H7.2V4Zm0 3h1.6v5H7.2V7Z',
  off: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 1.6a5.4 5.4 0 1 1 0 10.8A5.4 5.4 0 0 1 8 2.6Z',
};

/** @param {string} kind good, warn, bad, info or off */
function icon(kind) {
  return svg(
    'svg',
    { class: `icon ${kind}`, viewBox: '0 0 16 16', width: 16, height: 16, 'aria-hidden': 'true', focusable: 'false' },
    svg('path', { d: shapes[kind] ?? '', 'fill-rule': 'evenodd' }),
  );
}

/**
 * A shape and a word.
 * @param {string} kind
 * @param {string} word
 */
function badge(kind, word) {
  return el('span', { class: `badge ${kind}` }, icon(kind), word);
}

/** @type {Record<Readiness, string>} */
const readinessKinds = { ready: 'good', remedies: 'warn', blocked: 'bad' };

/** @type {Record<Severity, string>} */
const severityKinds = { blocker: 'bad', warning: 'warn', info: 'info' };
