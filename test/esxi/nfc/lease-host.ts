import { createReadStream } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { SoapServer, type Reply } from '../soap/soap-server.js';

interface Lease {
  id: string;
  /** When it was last renewed. */
  touched: number;
  state: 'held' | 'complete' | 'aborted' | 'timed out';
  /** The percentages that it was renewed with. */
  told: number[];
}

/** A disk that is given out: its key, and the stream-optimized file of its content. */
export interface ExportedDisk {
  key: string;
  path: string;
}

/**
 * A host that exports one VM, as the vSphere API documents `HttpNfcLease`: one lease at a time, `initializing` before
 * `ready`, addresses that begin with `https://*`, no end of a lease but by time, `Complete` and `Abort`, and nothing but
 * `HttpNfcLeaseProgress` that renews it. A lease that has run out gives nothing more.
 */
export class LeaseHost extends SoapServer {
  readonly leases: Lease[] = [];
  disks: ExportedDisk[] = [];
  timeoutSeconds: number | null = 300;
  /** How the config of the VM stands. */
  changeVersion = '2026-01-01T00:00:00Z';
  /** Downloads that have begun. */
  readonly downloads: string[] = [];
  /** The connection of a download breaks after so many bytes. */
  cutAfter: number | null = null;
  /** What is given in place of the address of a disk. */
  addressOf: (lease: string, index: number) => string = (lease, index) => `https://*/nfc/${lease}/disk-${index}.vmdk`;
  /** A lease of this host ends so instead of being ready. */
  leaseError: string | null = null;

  constructor() {
    super();
    this.replies.set('ExportVm', () => this.#export());
    this.replies.set('RetrievePropertiesEx', ({ body }) => this.#properties(body));
    for (const [method, state] of [
      ['HttpNfcLeaseComplete', 'complete'],
      ['HttpNfcLeaseAbort', 'aborted'],
    ] as const) {
      this.replies.set(method, ({ body }) => this.#end(body, state));
    }
    this.replies.set('HttpNfcLeaseProgress', ({ body }) => this.#progress(body));
    this.get = (request, response) => {
      this.#download(request, response);
    };
  }

  get held(): Lease[] {
    return this.leases.filter((lease) => this.#now(lease).state === 'held');
  }

  #now(lease: Lease): Lease {
    const limit = (this.timeoutSeconds ?? 300) * 1000;
    if (lease.state === 'held' && performance.now() - lease.touched > limit) lease.state = 'timed out';
    return lease;
  }

  #export(): Reply {
    if (this.held.length > 0) return { fault: 'TaskInProgress', text: 'Another task is already in progress.' };
    const id = `lease-${this.leases.length + 1}`;
    this.leases.push({ id, touched: performance.now(), state: 'held', told: [] });
    return { inside: `<returnval type="HttpNfcLease">${id}</returnval>` };
  }

  #of(body: string): Lease | undefined {
    const id = /type="HttpNfcLease">([^<]*)</.exec(body)?.[1];
    const lease = this.leases.find((one) => one.id === id);
    return lease && this.#now(lease);
  }

  readonly #looks = new Map<string, number>();

  #properties(body: string): Reply {
    const lease = this.#of(body);
    if (!lease) {
      const config = `<changeVersion>${this.changeVersion}</changeVersion>`;
      return object('VirtualMachine', '16', `<propSet><name>config</name><val>${config}</val></propSet>`);
    }
    if (body.includes('<pathSet>info</pathSet>')) {
      const urls = this.disks.map(
        ({ key }, index) =>
          `<deviceUrl><key>/16/${key}</key><importKey>/web/${key}</importKey><url>${this.addressOf(lease.id, index)}</url><sslThumbprint></sslThumbprint><disk>true</disk></deviceUrl>`,
      );
      const nvram = `<deviceUrl><key>/16/nvram</key><url>https://*/nfc/${lease.id}/nvram</url><disk>false</disk></deviceUrl>`;
      const timeout = this.timeoutSeconds === null ? '' : `<leaseTimeout>${this.timeoutSeconds}</leaseTimeout>`;
      const info = `<lease type="HttpNfcLease">${lease.id}</lease>${timeout}${nvram}${urls.join('')}`;
      return object('HttpNfcLease', lease.id, `<propSet><name>info</name><val>${info}</val></propSet>`);
    }
    const looks = (this.#looks.get(lease.id) ?? 0) + 1;
    this.#looks.set(lease.id, looks);
    if (looks === 1) return object('HttpNfcLease', lease.id, state('initializing'));
    if (this.leaseError === null) return object('HttpNfcLease', lease.id, state('ready'));
    const error = `<fault xsi:type="${this.leaseError}"></fault><localizedMessage>no</localizedMessage>`;
    return object(
      'HttpNfcLease',
      lease.id,
      `${state('error')}<propSet><name>error</name><val>${error}</val></propSet>`,
    );
  }

  #end(body: string, how: 'complete' | 'aborted'): Reply {
    const lease = this.#of(body);
    if (lease?.state !== 'held') return { fault: 'ManagedObjectNotFound' };
    lease.state = how;
    return { inside: '' };
  }

  #progress(body: string): Reply {
    const lease = this.#of(body);
    if (lease?.state !== 'held') return { fault: 'Timedout' };
    lease.touched = performance.now();
    lease.told.push(Number(/<percent>(\d+)</.exec(body)?.[1]));
    return { inside: '' };
  }

  #download(request: IncomingMessage, response: ServerResponse): void {
    const [, id, index] = /^\/nfc\/([^/]+)\/disk-(\d+)\.vmdk$/.exec(request.url ?? '') ?? [];
    const [lease, disk] = [this.leases.find((one) => one.id === id), this.disks[Number(index)]];
    if (!lease || !disk || this.#now(lease).state !== 'held' || request.headers.authorization !== undefined) {
      response.writeHead(request.url?.startsWith('/folder/') === true ? 403 : 404).end();
      return;
    }
    this.downloads.push(disk.key);
    response.writeHead(200, { 'content-type': 'application/x-vnd.vmware-streamVmdk' });
    const file = createReadStream(disk.path, this.cutAfter === null ? {} : { end: this.cutAfter - 1 });
    file.pipe(response, { end: this.cutAfter === null });
    if (this.cutAfter !== null) file.once('end', () => response.write('', () => response.destroy()));
    response.once('close', () => file.destroy());
  }
}

const state = (word: string) => `<propSet><name>state</name><val xsi:type="HttpNfcLeaseState">${word}</val></propSet>`;

function object(type: string, id: string, content: string): Reply {
  return { inside: `<returnval><objects><obj type="${type}">${id}</obj>${content}</objects></returnval>` };
}
