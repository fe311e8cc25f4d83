import { StackferryError, redactText, systemCode } from '../core/index.js';
import { badRequestHint } from './request-options.js';

/** One request and its answer, as far as an error message needs them. */
export interface FailedRequest {
  /** What was wanted, for a person: "create volume web01-scsi0:0". */
  what: string;
  service: string;
  method: string;
  /** Without host and query. */
  path: string;
  status: number;
  requestId: string | undefined;
  body: string;
}

/** An answer of a service that is not what was wanted, in the words of the service. */
export function serviceError(request: FailedRequest): StackferryError {
  const { service, method, path, status, requestId } = request;
  const said = serviceMessage(request.body);
  const { code, hint } = classify(request, said.text, said.type);
  const id = requestId === undefined ? '' : `, request ${requestId}`;
  return new StackferryError(
    code,
    `Could not ${request.what}: ${said.text === '' ? (STATUS_TEXT[status] ?? 'no reason given') : said.text} (${service}: ${method} ${path} answered ${status}${id})`,
    {
      hint,
      details: { status, service, method, path, request_id: requestId ?? null, type: said.type ?? null },
    },
  );
}

const STATUS_TEXT: Record<number, string> = {
  401: 'The login is not valid',
  403: 'This user may not do that',
  404: 'There is no such thing',
  409: 'Something is in the way',
  413: 'Too large, or over a limit',
  429: 'Too many requests',
  500: 'The service failed',
  502: 'The service behind the gateway did not answer',
  503: 'The service is not available',
  504: 'The service did not answer in time',
};

function classify(request: FailedRequest, text: string, type: string | undefined): { code: string; hint: string } {
  const { status, service } = request;
  const overQuota = /quota|exceeds? allowed|limit (?:has been )?(?:exceeded|reached)|maximum number/i;
  if ((status === 403 || status === 413 || status === 409) && (type === 'OverQuota' || overQuota.test(text))) {
    return {
      code: 'cloud.quota',
      hint: 'Delete what is no longer needed, or ask the operator for a larger quota; `stackferry doctor` shows what is left.',
    };
  }
  switch (status) {
    case 400:
      return { code: 'cloud.bad_request', hint: badRequestHint(request, text) };
    case 401:
      return { code: 'cloud.unauthorized', hint: 'Check user, password, project and their domains in clouds.yaml.' };
    case 403:
      return {
        code: 'cloud.forbidden',
        hint: 'The role of this user in the project does not allow it: ask for the member role.',
      };
    case 404:
      return { code: 'cloud.not_found', hint: 'It was deleted, or belongs to another project.' };
    case 409:
      return {
        code: 'cloud.conflict',
        hint: 'Its present state does not allow it; look at it with `openstack … show`.',
      };
    case 413:
      return service === 'image'
        ? {
            code: 'cloud.image_too_large',
            hint: 'Glance has a limit for one image (image_size_cap) or for all of a project; ask the operator, or upload qcow2 instead of raw.',
          }
        : { code: 'cloud.quota', hint: 'A limit of the project is reached; ask the operator.' };
    case 429:
      return { code: 'cloud.rate_limited', hint: 'Try again in some minutes, with less at once.' };
    default:
      if (status >= 500) {
        return {
          code: 'cloud.server_error',
          hint: 'Try again; if it stays, give the request ID to the operator of the cloud.',
        };
      }
      return { code: 'cloud.unexpected', hint: 'Run with --verbose and look at the answer.' };
  }
}

/**
 * What a service says, in each of the shapes that OpenStack's services answer with: `{error: {message}}` (Keystone),
 * `{badRequest: {message}}` and its siblings (Nova, Cinder), `{NeutronError: {type, message}}`, `{message}`,
 * `{errors: [{title, detail}]}`, HTML (Glance, proxies), plain text.
 */
export function serviceMessage(body: string): { text: string; type: string | undefined } {
  const trimmed = body.trim();
  if (trimmed === '') return { text: '', type: undefined };
  try {
    const found = messageIn(JSON.parse(trimmed) as unknown, 0);
    if (found) return { text: tidy(found.text), type: found.type };
  } catch {
    // Not JSON: HTML or text.
  }
  // Glance's pages repeat the status in a heading; what counts stands below it.
  const page = trimmed.replace(/<(head|style|script)[\s\S]*?<\/\1>/gi, ' ');
  return { text: tidy(textOf(page.replace(/<h1>[\s\S]*?<\/h1>/gi, ' '))) || tidy(textOf(page)), type: undefined };
}

function textOf(html: string): string {
  return html
    .replace(/<[^>]*>/g, ' ')
    .replace(/&(lt|gt|quot|amp|#39|nbsp);/g, (_whole, name: string) => ENTITIES[name] ?? ' ');
}

const ENTITIES: Record<string, string> = { lt: '<', gt: '>', quot: '"', amp: '&', '#39': "'", nbsp: ' ' };

function tidy(text: string): string {
  const line = redactText(
    text
      .replace(/<br ?\/?>/g, ' ')
      .replace(/\s+/g, ' ')
      .trim(),
  );
  return line.length > 600 ? `${line.slice(0, 600)}…` : line;
}

function messageIn(value: unknown, depth: number): { text: string; type: string | undefined } | undefined {
  if (typeof value === 'string' && depth > 0) return { text: value, type: undefined };
  if (typeof value !== 'object' || value === null || depth > 4) return undefined;
  if (Array.isArray(value)) return messageIn(value[0], depth + 1);
  const fields = value as Record<string, unknown>;
  const message = fields['message'] ?? fields['detail'] ?? fields['title'] ?? fields['faultstring'];
  if (typeof message === 'string') {
    return { text: message, type: typeof fields['type'] === 'string' ? fields['type'] : undefined };
  }
  for (const inner of [message, ...Object.values(fields)]) {
    if (typeof inner === 'object' && inner !== null) {
      const found = messageIn(inner, depth + 1);
      if (found) return found;
    }
  }
  return undefined;
}

/** Codes of Node for a request that never reached its peer. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL']);
const TLS_CODE =
  /^(CERT_|ERR_TLS|ERR_SSL|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|EPROTO|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|ERR_OSSL)/;

/** A request that got no answer: connection, TLS, DNS, proxy, time-out. `details.sent` is false if it never left. */
export function connectionError(
  error: unknown,
  request: { what: string; service: string; method: string; url: URL },
): StackferryError {
  const { what, service, method, url } = request;
  const code = codeOf(error);
  const reason = redactText(reasonOf(error, code));
  const base = { service, method, path: url.pathname, system: code ?? null };
  if (code !== undefined && TLS_CODE.test(code)) {
    return new StackferryError('cloud.tls', `Could not ${what}: the TLS connection to ${url.host} failed: ${reason}.`, {
      hint:
        code === 'EPROTO' || code.startsWith('ERR_SSL')
          ? `Is ${url.host} really https? Check auth_url, and the catalog's URL of ${service}.`
          : 'If the cloud has its own certificate authority, set cacert (OS_CACERT) to its PEM file.',
      details: { ...base, sent: false },
    });
  }
  const sent = !(code !== undefined && NEVER_SENT.has(code));
  return new StackferryError(
    'cloud.unreachable',
    `Could not ${what}: no answer from ${service} at ${url.host}: ${reason}.`,
    {
      hint:
        code === 'ENOTFOUND' || code === 'EAI_AGAIN'
          ? `The name ${url.hostname} is not known here: check the URL, DNS and VPN.`
          : 'Check that this machine reaches the cloud (VPN, firewall, proxy variables); `stackferry doctor` tries each service.',
      details: { ...base, sent },
    },
  );
}

function codeOf(error: unknown): string | undefined {
  const own = systemCode(error);
  const cause = typeof error === 'object' && error !== null && 'cause' in error ? systemCode(error.cause) : undefined;
  // got wraps: its own codes (ERR_…) say less than the cause's.
  return own === undefined || own.startsWith('ERR_GOT') || own === 'ERR_READING_RESPONSE_STREAM' ? (cause ?? own) : own;
}

function reasonOf(error: unknown, code: string | undefined): string {
  const words: Record<string, string> = {
    ECONNREFUSED: 'connection refused',
    ECONNRESET: 'connection lost',
    EPIPE: 'connection lost',
    ENOTFOUND: 'unknown host name',
    EAI_AGAIN: 'the name could not be looked up',
    EHOSTUNREACH: 'host unreachable',
    ENETUNREACH: 'network unreachable',
    ETIMEDOUT: 'no answer in time',
    DEPTH_ZERO_SELF_SIGNED_CERT: 'self-signed certificate',
    SELF_SIGNED_CERT_IN_CHAIN: 'the certificate chain ends in an authority that is not trusted',
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate was signed by an authority that is not trusted',
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate was signed by an authority that is not trusted',
    CERT_HAS_EXPIRED: 'the certificate has expired',
    ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another host name',
  };
  if (code !== undefined && words[code] !== undefined) return words[code];
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, '');
}
