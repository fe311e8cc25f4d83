import type { Context } from '../core/index.js';
import { assertReachable, openHost, type EsxiHost } from '../esxi/index.js';
import { openApiHost, type ApiHost } from '../esxi/soap/index.js';
import { attempt, flatOf, hostFacts, noDisk, ok, readRate, unknown, type Check, type Found } from './doctor-checks.js';
import { sourceDoors, type SourceDoors } from './options/source-doors.js';
import { esxiTransport, sourcePassword, sourceTarget, type SourceOptions, type Transport } from './options/source.js';
import type { Tools } from './tools.js';

/** The doors of the host, each open or closed, and what the host tells through one that is open. */
export async function checkHost(tools: Tools, options: SourceOptions): Promise<Check[]> {
  const { app, ctx } = tools;
  const named = options.esxi ?? app.env['STACKFERRY_ESXI'] ?? app.env['GOVC_URL'];
  if (named === undefined || named === '') {
    return [{ area: 'host', what: 'ssh', state: 'skipped', seen: 'no host named', hint: 'Name one with --esxi HOST.' }];
  }
  // Wrong options are wrong usage, not a host that does not work.
  const way = esxiTransport(app, options);
  sourceTarget(app, options);
  const doors = await sourceDoors(app, options, await sourcePassword(app, options, ctx), ctx);
  const found = await new DoorTable(doors, way, ctx).look();
  return found.map((check) => ({ area: 'host', ...check }));
}

/** What reads disks where SSH is closed. */
const DISK_DOORS = ['https datastore', 'nfc lease'];

class DoorTable {
  readonly #doors: SourceDoors;
  readonly #way: Transport;
  readonly #ctx: Context;
  #ssh: EsxiHost | undefined;
  #api: ApiHost | undefined;

  constructor(doors: SourceDoors, way: Transport, ctx: Context) {
    this.#doors = doors;
    this.#way = way;
    this.#ctx = ctx;
  }

  async look(): Promise<Found[]> {
    try {
      const ssh = this.#way === 'https' ? null : await this.#openSsh();
      const rows = [...(ssh ? [ssh] : []), ...(this.#way === 'ssh' ? [] : await this.#apiRows())];
      const host = this.#ssh ?? this.#api;
      // One door to the disks is enough: that another is closed is no fault.
      const isEnough =
        this.#ssh !== undefined || rows.some(({ what, state }) => DISK_DOORS.includes(what) && state === 'ok');
      const told = isEnough
        ? rows.map((row) => (row.state === 'bad' ? { ...row, state: 'warning' as const } : row))
        : rows;
      return host ? [...told, ...(await hostFacts(host))] : told;
    } finally {
      await this.#ssh?.close();
      await this.#api?.close();
    }
  }

  #openSsh(): Promise<Found> {
    const { ssh, sshContext } = this.#doors;
    return attempt('ssh', async () => {
      this.#ssh = await openHost(ssh, sshContext);
      return ok('ssh', `${this.#ssh.name} answers`);
    });
  }

  /** The API, and the ways to disks behind it. */
  async #apiRows(): Promise<Found[]> {
    const rows = [await this.#openApi()];
    const api = this.#api;
    if (!api) {
      for (const what of DISK_DOORS) rows.push(unknown(what, 'not looked at: the API is not open'));
      return rows;
    }
    let disk: ReturnType<typeof flatOf>;
    rows.push(
      await attempt('https datastore', async () => {
        disk = flatOf((await api.inventory()).vms);
        return disk ? ok('https datastore', await readRate(api, disk.path)) : noDisk('https datastore');
      }),
      await attempt('nfc lease', async () => (disk ? leaseRow(await api.mayExport(disk.vm.id)) : noDisk('nfc lease'))),
    );
    return rows;
  }

  async #openApi(): Promise<Found> {
    const { api } = this.#doors;
    // Beside an open SSH nobody is asked for a password to look at another door, and nobody is trusted blindly.
    if (this.#ssh && !this.#doors.isApiQuiet()) {
      const why = api.insecure ? 'its certificate would not be checked' : 'no password is at hand';
      const hint = api.insecure
        ? 'Pin its certificate (--esxi-fingerprint HEX) to have the API looked at.'
        : 'Set STACKFERRY_ESXI_PASSWORD or --esxi-password-file to have the API looked at.';
      return { ...unknown('api', `not looked at: ${why}`), hint };
    }
    return attempt('api', async () => {
      await assertReachable(api, this.#ctx.signal);
      this.#api = await openApiHost(api, this.#ctx);
      return ok('api', `${this.#api.name} answers`);
    });
  }
}

function leaseRow(may: boolean | null): Found {
  const what = 'nfc lease';
  if (may === null) return unknown(what, 'the host does not tell the rights of this account');
  if (may) return ok(what, 'this account may export (no lease was taken: the VM could not be started meanwhile)');
  return {
    what,
    state: 'warning',
    seen: 'this account may not export',
    hint: 'The privilege VApp.Export lets it: guides/esxi-permissions.md.',
  };
}
