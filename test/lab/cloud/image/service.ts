/**
 * Glance v2. Shapes and words: Glance 25 (Zed) as the real lab answers, its api-ref, and for the refusal of content
 * that is not the declared format Glance's location.py (`require_image_format_match`, since 2025.1).
 */
import { Refusal, reason, type Call, type Reply, type Service } from '../http.js';
import { dataRoutes } from './data.js';
import { imageRoutes } from './images.js';

/** What WebOb says in front of a detail (webob/exc.py). */
const EXPLANATIONS: Record<number, string> = {
  403: 'Access was denied to this resource.',
  409: 'There was a conflict when trying to complete your request.',
  416: 'The Range requested is not available.',
};

/** WebOb's answers: HTML, or JSON to a client that prefers it (webob/exc.py, generate_response). */
function refuse(refusal: Refusal, call: Call): Reply {
  const status = `${refusal.status} ${reason(refusal.status)}`;
  const text =
    refusal.status === 415
      ? `The request media type ${call.headers['content-type'] ?? ''} is not supported by this server.\n<br /><br />\n${refusal.message}`
      : refusal.type === 'detail'
        ? `${EXPLANATIONS[refusal.status] ?? ''}<br /><br />\n${refusal.message}\n\n`
        : `${refusal.message}<br /><br />\n\n\n`;
  const accept = call.headers['accept'] ?? '';
  if (accept !== '' && !/text\/html|\*\/\*/.test(accept)) {
    if (accept.includes('application/json')) {
      return { status: refusal.status, body: { message: text, code: status, title: reason(refusal.status) } };
    }
    const plain = `${status}\n\n${text.replace(/<[^>]*>/g, '')}`;
    return { status: refusal.status, body: plain, headers: { 'content-type': 'text/plain; charset=UTF-8' } };
  }
  const escaped = text.replace(refusal.message, escapeHtml(refusal.message));
  const html = `<html>\n <head>\n  <title>${status}</title>\n </head>\n <body>\n  <h1>${status}</h1>\n  ${escaped}\n </body>\n</html>`;
  return { status: refusal.status, body: html, headers: { 'content-type': 'text/html; charset=UTF-8' } };
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#x27;');
}

/** Newest first, as api/versions.py lists them for one store with no cache. */
function versions(call: Call): object[] {
  return [15, 9, 7, 6, 5, 4, 3, 2, 1, 0].map((minor) => ({
    id: `v2.${minor}`,
    status: minor === 15 ? 'CURRENT' : 'SUPPORTED',
    links: [{ rel: 'self', href: `${call.root}/v2/` }],
  }));
}

export const image: Service = {
  name: 'image',
  root: '/image',
  refuse,
  routes: [
    {
      method: 'GET',
      pattern: '/',
      open: true,
      handle: (call) => ({ status: 300, body: { versions: versions(call) } }),
    },
    {
      method: 'GET',
      pattern: '/versions',
      open: true,
      handle: (call) => ({ status: 200, body: { versions: versions(call) } }),
    },
    ...imageRoutes,
    ...dataRoutes,
  ],
};
