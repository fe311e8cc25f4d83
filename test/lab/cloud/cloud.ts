/** Puts the embedded cloud together. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { environmentOf, writeCloudsYaml } from './accounts.js';
import { blockStorage } from './block-storage/service.js';
import { compute } from './compute/service.js';
import { control } from './control.js';
import { Core, loadState } from './core.js';
import { Faults } from './faults.js';
import { identity } from './identity/service.js';
import { image } from './image/service.js';
import { inventoryOf } from './inventory.js';
import { network } from './network/service.js';
import { seed } from './seed.js';
import { listen } from './server.js';
import { selfSignedCertificate } from './tls.js';
import type { CloudOptions, CloudSettings, EmbeddedCloud, LoggedRequest } from './types.js';

const DEFAULTS: CloudSettings = {
  delays: { image: 0, volume: 20, server: 30, power: 10, boot: 0 },
  tokenLifetimeSeconds: 4 * 3600,
  imageSizeCapBytes: 1024 ** 4,
  refuseFormatMismatch: false,
  imageInUseWhileCloned: false,
  pageSize: 1000,
  volumeOutcome: 'ok',
  volumeErrorMessage: 'schedule allocate volume:Could not find any available weighted backend.',
  serverOutcome: 'ok',
  serverFault: 'No valid host was found. There are not enough hosts available.',
  console: 'auto',
};

/** POST that reads or logs in, and so changes nothing in a project. */
const READS = /^\/v2\.1\/servers\/[^/]+\/action$/;

function changes(entry: LoggedRequest): boolean {
  if (['GET', 'HEAD', 'OPTIONS'].includes(entry.method) || entry.service === 'identity') return false;
  const body = entry.body;
  const console = READS.test(entry.path) && typeof body === 'object' && body !== null && 'os-getConsoleOutput' in body;
  return !console;
}

/**
 * Starts the embedded cloud on 127.0.0.1 with its seed, or with the state of an earlier run where `persist` kept one.
 * Needs `qemu-img` for volumes from images. Call `stop()` in the end.
 */
export async function startCloud(options: CloudOptions): Promise<EmbeddedCloud> {
  const { directory } = options;
  await mkdir(directory, { recursive: true });
  const settings: CloudSettings = {
    ...DEFAULTS,
    ...options.settings,
    delays: { ...DEFAULTS.delays, ...options.settings?.delays },
  };
  const persist = options.persist ?? false;
  const state = (persist ? await loadState(directory) : null) ?? seed();
  const core = new Core(directory, settings, state, persist);
  await core.prepare();
  const faults = new Faults();
  let log: LoggedRequest[] = [];
  let counter = 0;
  const clearLog = () => {
    log = [];
  };
  const tls = options.tls === true ? selfSignedCertificate() : null;
  const caFile = tls ? join(directory, 'ca.pem') : null;
  if (tls && caFile !== null) await writeFile(caFile, tls.cert);
  const server = await listen({
    core,
    services: [
      identity,
      image,
      blockStorage,
      compute,
      network,
      control({ faults, requests: { all: () => log, clear: clearLog } }),
    ],
    faults,
    log: (entry) => {
      const numbered: LoggedRequest = { number: ++counter, ...entry };
      if (entry.service !== 'lab') log.push(numbered);
      return numbered;
    },
    port: options.port ?? 0,
    tls,
  });
  core.url = `${tls ? 'https' : 'http'}://127.0.0.1:${server.port}`;
  const authUrl = `${core.url}/identity/v3`;
  const cloudsYaml = join(directory, 'clouds.yaml');
  await writeCloudsYaml(cloudsYaml, state, authUrl, caFile);
  await core.save();
  return {
    authUrl,
    url: core.url,
    directory,
    cloudsYaml,
    caFile,
    settings,
    state,
    environment: (kind = 'lab') => environmentOf(state, authUrl, caFile, kind),
    fault: (fault) => faults.add(fault),
    clearFaults: () => faults.clear(),
    requests: () => log,
    changingRequests: () => log.filter(changes),
    clearLog,
    inventory: (project) => inventoryOf(state, project),
    quotas: (name) => {
      const project = state.projects.find((one) => one.name === name);
      if (!project) throw new Error(`no project ${name}`);
      return project.quotas;
    },
    volumeFile: (id) => {
      if (!state.volumes.some((one) => one.id === id)) throw new Error(`no volume ${id}`);
      return core.volumeFile(id);
    },
    imageFile: (id) => {
      if (!state.images.some((one) => one.id === id)) throw new Error(`no image ${id}`);
      return core.imageFile(id);
    },
    expireTokens: () => {
      for (const token of state.tokens) token.expires = 0;
    },
    settled: () => core.settled(),
    stop: async () => {
      await server.close();
      await core.stop();
    },
  };
}
