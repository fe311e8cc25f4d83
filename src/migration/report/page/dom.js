// The page's script is put together of the files in this folder (see ../html.ts) and lies in the report itself. Every
// datum becomes text: nothing is ever parsed as HTML, and nothing is asked of any
// network.

/**
 * @typedef {import('../types.js').PackedReport} PackedReport
 * @typedef {import('../types.js').PackedVm} PackedVm
 * @typedef {import('../types.js').ReportRun} ReportRun
 * @typedef {import('../types.js').ReportFinding} ReportFinding
 * @typedef {import('../types.js').Readiness} Readiness
 * @typedef {import('../types.js').Severity} Severity
 * @typedef {Node | string | number | null} Child
 * @typedef {Record<string, string | number | boolean | null | ((event: Event) => void)>} Attributes
 */

/**
 * An element with attributes (a function is a listener: `onclick`; `false` and `null` are left out) and children.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  setAttributes(node, attributes);
  append(node, children);
  return node;
}

/**
 * The same for SVG.
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {SVGElement}
 */
function svg(tag, attributes = {}, ...children) {
  const node = /** @type {SVGElement} */ (document.createElementNS('http://www.w3.org/2000/svg', tag));
  setAttributes(node, attributes);
  append(node, children);
  return node;
}

/**
 * @param {Element} node
 * @param {Attributes} attributes
 */
function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== null) node.setAttribute(name, String(value));
  }
}

/**
 * @param {Element} node
 * @param {Child[]} children
 */
function append(node, children) {
  for (const child of children) if (child !== null) node.append(child instanceof Node ? child : String(child));
}

/**
 * The element of the page's frame with this id.
 * @param {string} id
 * @returns {HTMLElement}
 */
function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`the page has no #${id}`);
  return node;
}

/**
 * Text of foreign origin: on its own, so that its direction does not spill over.
 * @param {string} text
 * @returns {HTMLElement}
 */
function foreign(text) {
  return el('bdi', {}, visible(text));
}

/**
 * Text with its control characters, and those that turn the direction, made visible.
 * @param {string} text
 */
function visible(text) {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (character) =>
    character === '\n' ? ' ' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * A table in a frame that scrolls by itself where the page is narrow.
 * @param {string} label
 * @param {{ text: string, class?: string }[]} head
 * @param {Child[][]} rows the first cell of a row is its heading
 */
function dataTable(label, head, rows) {
  const classOf = (/** @type {number} */ index) => head[index]?.class ?? null;
  return scroller(
    label,
    el(
      'table',
      {},
      el('caption', { class: 'hidden' }, label),
      el(
        'thead',
        {},
        el('tr', {}, ...head.map((item) => el('th', { scope: 'col', class: item.class ?? null }, item.text))),
      ),
      el(
        'tbody',
        {},
        ...rows.map((cells) =>
          el(
            'tr',
            {},
            ...cells.map((cell, index) =>
              index === 0
                ? el('th', { scope: 'row', class: classOf(index) }, cell)
                : el('td', { class: classOf(index) }, cell),
            ),
          ),
        ),
      ),
    ),
  );
}

/**
 * @param {string} label
 * @param {HTMLElement} table
 */
function scroller(label, table) {
  return el('div', { class: 'scroll', role: 'region', 'aria-label': label, tabindex: 0 }, table);
}

/**
 * Pairs of a word and its value.
 * @param {[string, Child][]} pairs
 * @param {string} [kind]
 */
function facts(pairs, kind = 'facts') {
  return el(
    'dl',
    { class: kind },
    ...pairs.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))),
  );
}

/**
 * A section of the page with its heading.
 * @param {string} id
 * @param {string} title
 * @param {...Child} children
 */
function section(id, title, ...children) {
  return el(
    'section',
    { id, class: 'panel', 'aria-labelledby': `${id}-title`, tabindex: -1 },
    el('h2', { id: `${id}-title` }, title),
    ...children,
  );
}
