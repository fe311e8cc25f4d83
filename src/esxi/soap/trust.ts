import { Agent } from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect, rootCertificates, type TLSSocket } from 'node:tls';
import { StackferryError, UsageError } from '../../core/index.js';
import type { SoapTarget } from './target.js';

/**
 * An agent whose connections are handed out only once the peer's certificate is the one to trust: nothing, and so no
 * password, is sent before. Its errors are `esxi.certificate` (not trusted, or another than the pinned one).
 */
export class TrustingAgent extends Agent {
  readonly #target: SoapTarget;
  readonly #pin: Pin | null;

  constructor(target: SoapTarget) {
    super({ keepAlive: true, maxSockets: 4 });
    this.#target = target;
    this.#pin = target.fingerprint === undefined ? null : pinOf(target.fingerprint);
  }

  override createConnection(
    _options: unknown,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const { host, port, ca } = this.#target;
    const socket = connect({
      host,
      port,
      ALPNProtocols: ['http/1.1'],
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(ca === undefined ? {} : { ca: [...rootCertificates, ca] }),
      // It is judged below, where a certificate that is not trusted can be shown.
      rejectUnauthorized: false,
    });
    const failed = (error: Error) => {
      socket.destroy();
      callback?.(error, socket);
    };
    socket.once('error', failed);
    socket.once('secureConnect', () => {
      socket.off('error', failed);
      const refusal = refusalOf(socket, this.#target, this.#pin);
      if (refusal) failed(refusal);
      else callback?.(null, socket);
    });
    return undefined;
  }
}

interface Pin {
  digest: 'fingerprint256' | 'fingerprint';
  /** Upper case, with colons, as Node shows it. */
  value: string;
}

/** A fingerprint in hex. Throws wrong usage for anything else, SSH's `SHA256:…` included. */
function pinOf(text: string): Pin {
  const hex = text.replace(/[\s:]/g, '').toUpperCase();
  if (!/^(?:[0-9A-F]{64}|[0-9A-F]{40})$/.test(hex)) {
    throw new UsageError(
      `The fingerprint ${JSON.stringify(text.slice(0, 120))} is none of a certificate.`,
      'Over HTTPS it is the SHA-256 of the certificate in hex: openssl x509 -noout -fingerprint -sha256. (SHA256:… is that of an SSH key.)',
    );
  }
  return {
    digest: hex.length === 64 ? 'fingerprint256' : 'fingerprint',
    value: (hex.match(/../g) ?? []).join(':'),
  };
}

function refusalOf(socket: TLSSocket, target: SoapTarget, pin: Pin | null): StackferryError | null {
  const certificate = socket.getPeerX509Certificate();
  const place = `${target.host}:${target.port}`;
  const seen = certificate?.fingerprint256 ?? null;
  const details = { host: target.host, port: target.port, fingerprint: seen };
  if (pin) {
    if (certificate?.[pin.digest] === pin.value) return null;
    return new StackferryError(
      'esxi.certificate',
      `${place} shows another certificate than the pinned one: its SHA-256 is ${seen ?? 'not known'}.`,
      {
        hint: 'Somebody may sit between. If the certificate was replaced, compare it with the one on the host and give its fingerprint anew: --esxi-fingerprint.',
        details,
      },
    );
  }
  if (socket.authorized || target.insecure) return null;
  const why = String(socket.authorizationError);
  return new StackferryError('esxi.certificate', `The certificate of ${place} is not trusted: ${why}.`, {
    hint: `Compare its fingerprint with the one on the host (openssl x509 -in /etc/vmware/ssl/rui.crt -noout -fingerprint -sha256), then: --esxi-fingerprint ${seen ?? 'HEX'}. Or name its authority: --esxi-cacert FILE.`,
    details,
  });
}
