import { UsageError, type Context } from '../../core/index.js';
import type { EsxiHost } from '../../esxi/index.js';
import type { SoapTarget } from '../../esxi/soap/index.js';
import type { SshTarget } from '../../esxi/ssh/index.js';
import type { App } from '../app.js';
import {
  esxiTransport,
  soapTarget,
  sourcePassword,
  sshTarget,
  type SourceOptions,
  type SourcePassword,
} from './source.js';

/** Both doors of the source, each with only the trust that is meant for it. */
export interface SourceDoors {
  ssh: SshTarget;
  /** Asks nobody whether to trust a host key where the pin is the other door's. */
  sshContext: Context;
  /** The given pin is that of the certificate. */
  isCertificatePin: boolean;
  api: SoapTarget;
  /** Whether the API can be looked into without a question, and without trusting whoever answers. */
  isApiQuiet: () => boolean;
}

/** Opens the host of the options by the door that is meant. */
export async function openSource(app: App, options: SourceOptions, ctx: Context): Promise<EsxiHost> {
  const way = esxiTransport(app, options);
  const password = await sourcePassword(app, options, ctx);
  if (way === 'https') {
    const { openApiHost } = await import('../../esxi/soap/index.js');
    return openApiHost(await soapTarget(app, options, password), ctx);
  }
  const { assertReachable, openEitherDoor, openHost } = await import('../../esxi/index.js');
  if (way === 'ssh') return openHost(sshTarget(app, options, password), ctx);
  const doors = await sourceDoors(app, options, password, ctx);
  return openEitherDoor(
    {
      ssh: () => openHost(doors.ssh, doors.sshContext),
      api: async () => {
        await assertReachable(doors.api, ctx.signal);
        const { openApiHost } = await import('../../esxi/soap/index.js');
        return openApiHost(doors.api, ctx);
      },
      files: async () => {
        if (!doors.isApiQuiet()) return null;
        await assertReachable(doors.api, ctx.signal);
        const { folderDisks } = await import('../../esxi/soap/index.js');
        return folderDisks(doors.api, ctx);
      },
    },
    ctx,
    doors.isCertificatePin ? ['esxi.host_key_unknown'] : [],
  );
}

/**
 * What is needed for either door. Where both may be tried, `--esxi-fingerprint` pins the one that it fits by its form; the
 * other is then trusted only as known already, whatever else was said.
 */
export async function sourceDoors(
  app: App,
  options: SourceOptions,
  password: SourcePassword,
  ctx: Context,
): Promise<SourceDoors> {
  const ssh = sshTarget(app, options, password);
  const api = await soapTarget(app, options, password);
  const isAuto = esxiTransport(app, options) === 'auto';
  const isCertificatePin = isAuto && isHexDigest(api.fingerprint);
  const isKeyPin = isAuto && api.fingerprint !== undefined && !isCertificatePin;
  if (isCertificatePin) {
    delete ssh.fingerprint;
    ssh.insecure = false;
  }
  if (isKeyPin) {
    delete api.fingerprint;
    api.insecure = false;
  }
  return {
    ssh,
    sshContext: isCertificatePin ? withoutKeyQuestion(ctx) : ctx,
    isCertificatePin,
    api,
    isApiQuiet: () => password.atHand() !== undefined && !api.insecure,
  };
}

/** The digest of a certificate: SHA-256 or SHA-1 in hex. SSH's is `SHA256:` and base64. */
function isHexDigest(fingerprint: string | undefined): boolean {
  return fingerprint !== undefined && /^(?:[0-9a-f]{64}|[0-9a-f]{40})$/i.test(fingerprint.replace(/[\s:]/g, ''));
}

function withoutKeyQuestion(ctx: Context): Context {
  const { events } = ctx;
  return {
    ...ctx,
    events: {
      emit: (event) => {
        events.emit(event);
      },
      ask: (question) =>
        question.code === 'esxi.host_key'
          ? Promise.reject(
              new UsageError('The pinned fingerprint is that of the certificate, not of the SSH host key.'),
            )
          : events.ask(question),
    },
  };
}
