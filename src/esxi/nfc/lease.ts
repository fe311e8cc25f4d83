import { StackferryError, isCode, poll, type Context } from '../../core/index.js';
import { z } from 'zod';
import { faultError, isFaultNamed, localizedFault } from '../soap/fault.js';
import { vmRef } from '../soap/power.js';
import { readObject } from '../soap/properties.js';
import { element, flag, many, maybe, node, one, readElement, reference, text, type MoRef } from '../soap/reading.js';
import { returned, type SoapSession } from '../soap/session.js';
import type { SoapTarget } from '../soap/target.js';
import { badAnswer, xml, type Element } from '../soap/xml.js';

/** A host makes its list of files; with many disks that takes a while. */
const READY_MS = 120_000;
const POLL_MS = 500;
/** A host that says no time-out has this one (vSphere API, HttpNfcLeaseInfo.leaseTimeout, in seconds). */
const USUAL_TIMEOUT_S = 300;
/** Renewed so much more often than it must be: one lost call costs nothing. */
const RENEWALS = 4;
/** At least this often, whatever the host says (timers do not run for months), and at most so often. */
const LONGEST_RENEWAL_MS = 60 * 60_000;
const SHORTEST_RENEWAL_MS = 50;
const GIVE_BACK_MS = 10_000;

const stateSchema = text.pipe(z.enum(['initializing', 'ready', 'done', 'error']));
const infoSchema = node({
  leaseTimeout: maybe(text),
  deviceUrl: many(
    node({
      key: one(text),
      importKey: maybe(text),
      url: one(text),
      disk: maybe(flag),
      targetId: maybe(text),
      fileSize: maybe(text),
    }),
  ),
});

/** A disk that a lease gives out. */
export interface LeasedDisk {
  /** The device: `/vm-10/VirtualDisk2000`, or `VirtualLsiLogicController0:0` of old hosts. */
  key: string;
  url: URL;
}

/**
 * The host's leave to download the disks of a VM that is off (`ExportVm`). As long as it is held, nobody can start, move
 * or delete the VM. Nothing but `HttpNfcLeaseProgress` renews it, so that is called by a clock of its own, however slowly
 * the disk is taken. End it by `complete` or `abort`.
 */
export class NfcLease {
  readonly disks: readonly LeasedDisk[];
  readonly #session: SoapSession;
  readonly #ctx: Context;
  readonly #lease: MoRef;
  readonly #timer: NodeJS.Timeout;
  #percent = 0;
  #over = false;
  #isRenewing = false;

  private constructor(session: SoapSession, ctx: Context, lease: MoRef, of: { disks: LeasedDisk[]; timeoutS: number }) {
    this.#session = session;
    this.#ctx = ctx;
    this.#lease = lease;
    this.disks = of.disks;
    const renewal = Math.min(LONGEST_RENEWAL_MS, Math.max(SHORTEST_RENEWAL_MS, (of.timeoutS * 1000) / RENEWALS));
    this.#timer = setInterval(() => void this.#renew(), renewal);
    this.#timer.unref();
  }

  /**
   * Takes a lease on the VM and waits until the host is ready.
   * @param target what stands for `*` in the addresses that the host gives out
   * @throws StackferryError `vm.powered_on` where it runs, `esxi.busy`, `esxi.no_permission`, `host.free_license`,
   * `esxi.fault`, `esxi.timeout`
   */
  static async take(
    session: SoapSession,
    ctx: Context,
    id: string,
    target: Pick<SoapTarget, 'host' | 'port'>,
  ): Promise<NfcLease> {
    const what = `export VM ${id}`;
    const lease = readElement(reference, returned(await exportVm(session, id, what)));
    try {
      await waitReady(session, ctx, lease, what);
      const info = (await readObject(session, lease, ['info'], what)).properties.get('info');
      if (!info) throw badAnswer('its lease has no list of files');
      const { leaseTimeout, deviceUrl } = readElement(infoSchema, info);
      const disks = deviceUrl
        .filter(({ disk }) => disk !== false)
        .map(({ key, importKey, url }) => ({ key: importKey ?? key, url: addressOf(url, target) }));
      const seconds = Number(leaseTimeout ?? NaN);
      const timeoutS = Number.isFinite(seconds) && seconds > 0 ? seconds : USUAL_TIMEOUT_S;
      return new NfcLease(session, ctx, lease, { disks, timeoutS });
    } catch (error) {
      await end(session, ctx, lease, 'HttpNfcLeaseAbort');
      throw error;
    }
  }

  /** How much of the disk is here, from 0 to 100: the host shows it. */
  progress(percent: number): void {
    this.#percent = Math.max(this.#percent, Math.min(99, Math.floor(percent)));
  }

  /** All that was wanted is here. */
  async complete(): Promise<void> {
    await this.#end('HttpNfcLeaseComplete');
  }

  /** Something went wrong, or the rest is not wanted. Safe to call at any time. */
  async abort(): Promise<void> {
    await this.#end('HttpNfcLeaseAbort');
  }

  async #end(method: 'HttpNfcLeaseComplete' | 'HttpNfcLeaseAbort'): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#timer);
    await end(this.#session, this.#ctx, this.#lease, method);
  }

  async #renew(): Promise<void> {
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    const call = { method: 'HttpNfcLeaseProgress', on: this.#lease, what: 'renew the lease' };
    try {
      await this.#session.change({ ...call, parameters: [xml('percent', String(this.#percent))] });
    } catch (error) {
      // The next one may come through; if none does, the download breaks off and says so.
      this.#ctx.log.debug('the lease was not renewed', { lease: this.#lease.id, error: String(error) });
    } finally {
      this.#isRenewing = false;
    }
  }
}

async function exportVm(session: SoapSession, id: string, what: string): Promise<Element> {
  try {
    return await session.change({ method: 'ExportVm', on: vmRef(id), what });
  } catch (error) {
    if (!isFaultNamed(error, 'InvalidPowerState')) throw error;
    throw new StackferryError('vm.powered_on', `The host would not ${what}: it is not off (InvalidPowerState).`, {
      hint: 'Shut the guest down first, or let stackferry do it: --power-off',
      exitCode: 3,
      cause: error,
    });
  }
}

async function waitReady(session: SoapSession, ctx: Context, lease: MoRef, what: string): Promise<void> {
  const paths = ['state', 'error'];
  const { state, error } = await poll(ctx, {
    task: `lease ${lease.id}`,
    label: `the host to ${what}`,
    timeoutMs: READY_MS,
    intervalMs: POLL_MS,
    timeout: { code: 'esxi.timeout', hint: 'Look at the recent tasks in the host client, and run it again.' },
    look: async () => {
      const { properties } = await readObject(session, lease, paths, what);
      const now = properties.get('state');
      if (!now) throw badAnswer('its lease has no state');
      return { state: readElement(stateSchema, now), error: properties.get('error') };
    },
    done: (seen) => seen.state !== 'initializing',
    describe: (seen) => ({ state: seen.state }),
  });
  if (state === 'ready') return;
  const fault = error && readElement(element, error);
  if (fault) throw faultError(what, localizedFault(fault), lease.id);
  throw new StackferryError('esxi.fault', `The host would not ${what}: its lease is ${state}.`, {
    hint: 'Look at the recent tasks in the host client, and run it again.',
  });
}

/** Ends a lease also after an interruption; what goes wrong with that is noted: it ends by itself in minutes. */
async function end(session: SoapSession, ctx: Context, lease: MoRef, method: string): Promise<void> {
  try {
    await session.giveBack({ method, on: lease, what: 'end the lease' }, GIVE_BACK_MS);
  } catch (error) {
    if (!isCode(error, 'vm.not_found')) ctx.log.debug(`${method} failed`, { lease: lease.id, error: String(error) });
  }
}

/** A host writes `https://*` for the name that it was reached by. Nothing is fetched from anywhere else. */
function addressOf(told: string, { host, port }: Pick<SoapTarget, 'host' | 'port'>): URL {
  const own = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const text_ = told.replace(/^https:\/\/\*(?::\d+)?(?=\/)/, `https://${own}`);
  const url = URL.canParse(text_) ? new URL(text_) : null;
  if (url?.protocol !== 'https:') throw badAnswer('its lease names an address that is none of HTTPS');
  if (url.hostname !== new URL(`https://${own}`).hostname) {
    throw badAnswer(`its lease sends us to another host, ${url.hostname}`);
  }
  return url;
}
