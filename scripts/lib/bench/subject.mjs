// One measured run of the built program's own parts: node subject.mjs '{"what": …}'. Prints its figures as JSON.
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { encodeQcow2, imageEncoders, PieceGuard } from '../../../dist/convert/index.js';
import { systemClock } from '../../../dist/core/index.js';
import { DiskHasher, DigestThread, parseDescriptor, RangeList, releaseChunkBuffer } from '../../../dist/disk/index.js';
import { openRemoteDisk, shellFiles } from '../../../dist/esxi/read/index.js';
import { openShell } from '../../../dist/esxi/ssh/index.js';
import { Http } from '../../../dist/openstack/http.js';

const task = JSON.parse(process.argv[2]);
const ctx = {
  events: { emit: () => undefined, ask: () => Promise.reject(new Error('nobody is asked')) },
  signal: new AbortController().signal,
  clock: systemClock,
  log: { debug: () => undefined },
};
const MIB = 1024 * 1024;
const ZEROS = Buffer.alloc(4 * MIB);
let readBytes = 0;

const start = process.hrtime.bigint();
const facts = await run();
const seconds = Number(process.hrtime.bigint() - start) / 1e9;
const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
process.stdout.write(
  `${JSON.stringify({ seconds, rss_mib: maxRSS / 1024, cpu: (userCPUTime + systemCPUTime) / 1e6, read_bytes: readBytes, ...facts })}\n`,
);

async function run() {
  switch (task.what) {
    case 'one-pass':
      return onePass();
    case 'read':
      return readOnly();
    case 'encode':
      return encodeOnly();
    case 'hash':
      return hashOnly();
    default:
      throw new Error(`nothing is called ${task.what}`);
  }
}

async function remote() {
  const { ssh, disk } = task;
  const shell = await openShell(
    { ...ssh, knownHostsFiles: [], rememberIn: '/dev/null', insecure: true, legacy: false, maxConnections: 8 },
    ctx,
  );
  const descriptor = parseDescriptor(Buffer.from(disk.descriptor));
  const extent = { remotePath: disk.flat, localName: 'x', bytes: disk.bytes, allocatedBytes: null, token: 't' };
  const link = {
    remotePath: disk.path,
    path: disk.path,
    localName: 'x',
    token: 't',
    descriptor,
    content: null,
    extents: [extent],
  };
  const plan = {
    label: 'scsi0:0',
    path: disk.path,
    kind: 'flat',
    capacityBytes: disk.bytes,
    links: [link],
    bytes: disk.bytes,
    allocatedBytes: null,
  };
  return { shell, opened: await openRemoteDisk(shellFiles(shell), plan, ctx, { trustMap: task.trustMap ?? 'auto' }) };
}

function reading() {
  return {
    mostStreams: 8,
    ...(task.streams ? { streams: task.streams } : {}),
    onBytes: (bytes) => (readBytes += bytes),
  };
}

/** Host to image store, as the program's image step does it. */
async function onePass() {
  const { shell, opened } = await remote();
  const data = await opened.layout.dataRanges();
  const encoded = imageEncoders[task.format]({ capacityBytes: task.disk.bytes, data });
  const hasher = task.hash === false ? null : new DiskHasher(task.disk.bytes);
  const guard = task.hash === false ? null : new PieceGuard('x');
  const digests = task.hash === false ? null : new DigestThread(['sha512']);
  const http = new Http({
    verify: false,
    ca: undefined,
    cert: undefined,
    key: undefined,
    proxy: { http: null, https: null, no: [] },
    silenceMs: 60_000,
  });
  // As the program's own upload does: a buffer is free when the connection has taken it in.
  const line = [];
  let given = 0;
  let written = 0;
  async function* body() {
    const pieces = opened.pieces(encoded.wanted, reading());
    const taken = hasher && guard ? guard.taken(hasher.through(pieces)) : pieces;
    for await (const run of encoded.stream(taken)) {
      if (run.kind === 'zeros') {
        for (let left = run.length; left > 0; left -= ZEROS.length) {
          const part = ZEROS.subarray(0, Math.min(left, ZEROS.length));
          await digests?.zeros(part.length);
          given += part.length;
          yield part;
        }
        continue;
      }
      if (run.kind === 'data') guard?.given(run.bytes, run.diskOffset);
      await digests?.update(run.bytes);
      for (let at = 0; at < run.bytes.length; at += MIB) {
        const part = run.bytes.subarray(at, at + MIB);
        given += part.length;
        if (at + MIB >= run.bytes.length) line.push({ bytes: run.bytes, end: given });
        yield part;
      }
    }
  }
  const answer = await http.upload({
    what: 'upload',
    service: 'image',
    method: 'PUT',
    url: new URL(task.url),
    headers: { 'content-type': 'application/octet-stream' },
    signal: ctx.signal,
    size: encoded.bytes,
    source: Readable.from(body(), { objectMode: false }),
    onChunk: () => undefined,
    onWritten: (chunk) => {
      written += chunk.length;
      while (line[0] && line[0].end <= written) releaseChunkBuffer(line.shift().bytes);
    },
  });
  guard?.assertSame();
  const facts = {
    status: answer.status,
    sent_bytes: encoded.bytes,
    hash: await hasher?.digest(),
    sha512: (await digests?.digest())?.sha512,
  };
  await shell.close();
  if (answer.status !== 204) throw new Error(`the store answered ${answer.status}`);
  return facts;
}

/** Host to nowhere, all of the disk. */
async function readOnly() {
  const { shell, opened } = await remote();
  const wanted = task.all ? RangeList.from([{ offset: 0, length: task.disk.bytes }]) : await opened.layout.dataRanges();
  const pieces = opened.pieces(wanted, reading());
  for await (const piece of pieces) releaseChunkBuffer(piece.bytes);
  await shell.close();
  return {};
}

/** A raw file in the page cache into a qcow2 file. */
async function encodeOnly() {
  const source = await open(task.source, 'r');
  const { wanted, stream } = encodeQcow2({ capacityBytes: task.disk.bytes, data: RangeList.from(task.ranges) });
  const PIECE = 1024 * 1024;
  const ring = Array.from({ length: 12 }, () => Buffer.allocUnsafeSlow(PIECE));
  async function* pieces() {
    const ahead = [];
    let turn = 0;
    const specs = (function* () {
      for (const { offset, length } of wanted) {
        for (let at = offset; at < offset + length; at += PIECE)
          yield { offset: at, length: Math.min(PIECE, offset + length - at) };
      }
    })();
    const more = () => {
      const next = specs.next();
      if (next.done) return;
      const { offset, length } = next.value;
      const bytes = ring[turn++ % ring.length].subarray(0, length);
      ahead.push(source.read(bytes, 0, length, offset).then(() => ({ offset, bytes })));
    };
    for (let i = 0; i < 4; i++) more();
    while (ahead.length > 0) {
      const piece = await ahead.shift();
      more();
      yield piece;
    }
  }
  const target = openSync(task.target, 'w');
  let at = 0;
  for await (const run of stream(pieces())) {
    if (run.kind === 'zeros') {
      at += run.length;
      continue;
    }
    writeSync(target, run.bytes, 0, run.bytes.length, at);
    at += run.bytes.length;
  }
  closeSync(target);
  await source.close();
  return {};
}

/** What the hashes cost by themselves: each byte of the disk's data in both, on one thread. */
function hashOnly() {
  const chunk = randomBytes(4 * MIB);
  const whole = createHash('sha512');
  const before = process.cpuUsage();
  for (let left = task.disk.allocated; left > 0; left -= chunk.length) {
    const part = chunk.subarray(0, left);
    createHash('sha256').update(part).digest();
    whole.update(part);
  }
  whole.digest();
  const { user, system } = process.cpuUsage(before);
  return { hash_cpu_s: (user + system) / 1e6 };
}
