import { createHash } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { StackferryError } from '../../src/core/index.js';
import { connectCloud, type CloudConfig } from '../../src/openstack/index.js';
import { selfSignedCertificate } from '../lab/cloud/tls.js';
import { failure } from './support/connect.js';
import { testContext } from './support/context.js';
import { fakeCloud, fakeConfig, tokenBody, type FakeCloud, type Route } from './support/fake-cloud.js';

const FILE = 'PUT /image/v2/images/i1/file';
const MIB = 1024 * 1024;

async function open(routes: Record<string, Route | Route[]>) {
  const fake = await fakeCloud(routes);
  onTestFinished(() => fake.close());
  const ctx = testContext();
  const cloud = await connectCloud(fakeConfig(fake.url), ctx, { readFile: () => Promise.reject(new Error('none')) });
  onTestFinished(() => cloud.close());
  return { cloud, fake, ctx };
}

/** So many bytes in chunks of 64 KiB, and how far it was read. */
function source(size: number) {
  const state = { read: 0, opened: 0, stream: undefined as Readable | undefined };
  const make = () => {
    state.opened++;
    state.stream = new Readable({
      read() {
        const length = Math.min(64 * 1024, size - state.read);
        if (length <= 0) {
          this.push(null);
          return;
        }
        state.read += length;
        this.push(Buffer.alloc(length, 7));
      },
    });
    return state.stream;
  };
  return { state, make };
}

/** Takes everything in and answers. */
const takes =
  (result: { bytes: number }, status = 204): Route =>
  (_seen, { req, res }) => {
    req.on('data', (chunk: Buffer) => (result.bytes += chunk.length));
    req.on('end', () => res.writeHead(status).end());
    return undefined;
  };

describe('an upload', () => {
  it('sends exactly the bytes with their length, tells them and hashes them', async () => {
    const got = { bytes: 0 };
    const { cloud, fake } = await open({ [FILE]: takes(got) });
    const { make, state } = source(3 * MIB + 17);
    const told: number[] = [];
    const sent = await cloud.images.upload('i1', {
      size: 3 * MIB + 17,
      open: make,
      onBytes: (bytes) => told.push(bytes),
      digests: ['md5', 'sha512'],
    });
    expect(got.bytes).toBe(3 * MIB + 17);
    expect(fake.seen.at(-1)?.headers).toMatchObject({
      'content-length': String(3 * MIB + 17),
      'content-type': 'application/octet-stream',
    });
    expect(fake.seen.at(-1)?.headers['transfer-encoding']).toBeUndefined();
    expect(told.at(-1)).toBe(3 * MIB + 17);
    expect(sent.bytes).toBe(3 * MIB + 17);
    const content = Buffer.alloc(3 * MIB + 17, 7);
    expect(sent.digests).toEqual({
      md5: createHash('md5').update(content).digest('hex'),
      sha512: createHash('sha512').update(content).digest('hex'),
    });
    expect(state.opened).toBe(1);
  });

  it('sends an empty content too', async () => {
    const got = { bytes: 0 };
    const { cloud } = await open({ [FILE]: takes(got) });
    expect((await cloud.images.upload('i1', { size: 0, open: source(0).make })).bytes).toBe(0);
  });

  it('reads no faster than the service takes it in', async () => {
    let release: (() => void) | undefined;
    const { cloud } = await open({
      [FILE]: (_seen, { req, res }) => {
        req.pause();
        release = () => {
          req.resume();
          req.on('end', () => res.writeHead(204).end());
        };
        return undefined;
      },
    });
    const size = 64 * MIB;
    const { make, state } = source(size);
    const done = cloud.images.upload('i1', { size, open: make });
    await expect.poll(() => release !== undefined).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(state.read).toBeLessThan(16 * MIB);
    release?.();
    expect((await done).bytes).toBe(size);
  });

  it.each([
    [413, 'cloud.image_too_large'],
    [415, 'cloud.image_refused'],
    [400, 'cloud.image_refused'],
    [409, 'cloud.conflict'],
    [500, 'cloud.server_error'],
    [502, 'cloud.server_error'],
  ])('that is refused with %i at once is %s, is not sent to its end and not again', async (status, code) => {
    const { cloud, fake } = await open({
      [FILE]: (_seen, { req, res }) => {
        req.once('data', () => {
          req.resume();
          res
            .writeHead(status, { 'x-openstack-request-id': 'req-up', connection: 'close' })
            .end('<html><body>no good</body></html>');
        });
        return undefined;
      },
    });
    const { make, state } = source(256 * MIB);
    const error = await failure(cloud.images.upload('i1', { size: 256 * MIB, open: make }));
    expect(error.code).toBe(code);
    expect(error.message).toContain('no good');
    expect(error.details['request_id']).toBe('req-up');
    expect(state.read).toBeLessThan(256 * MIB);
    expect(state.stream?.destroyed).toBe(true);
    expect(state.opened).toBe(1);
    expect(fake.count(FILE)).toBe(1);
  });

  it('that is cut says how far it came, and is not sent again', async () => {
    const { cloud, fake } = await open({
      [FILE]: (_seen, { req }) => {
        req.once('data', () => req.socket.destroy());
        return undefined;
      },
    });
    const { make, state } = source(64 * MIB);
    const error = await failure(cloud.images.upload('i1', { size: 64 * MIB, open: make }));
    expect(error.code).toBe('cloud.upload_cut');
    expect(error.message).toMatch(/after \d+ of 67108864 bytes/);
    expect(state.opened).toBe(1);
    expect(fake.count(FILE)).toBe(1);
  });

  it.each([
    ['shorter', 5 * MIB],
    ['longer', 7 * MIB],
  ])('whose source is %s than announced never looks whole', async (_word, actual) => {
    const got = { bytes: 0, ended: false };
    const { cloud } = await open({
      [FILE]: (_seen, { req, res }) => {
        req.on('data', (chunk: Buffer) => (got.bytes += chunk.length));
        req.on('end', () => {
          got.ended = true;
          res.writeHead(204).end();
        });
        req.on('error', () => undefined);
        return undefined;
      },
    });
    const error = await failure(cloud.images.upload('i1', { size: 6 * MIB, open: source(actual).make }));
    expect(error.code).toBe('cloud.upload_size');
    expect(got.ended).toBe(false);
  });

  it('whose source fails gives the error of the source', async () => {
    const { cloud } = await open({ [FILE]: takes({ bytes: 0 }) });
    const broken = new StackferryError('esxi.connection_lost', 'The host is gone.');
    const failing = () =>
      new Readable({
        read() {
          this.push(Buffer.alloc(1024));
          this.destroy(broken);
        },
      });
    expect(await failure(cloud.images.upload('i1', { size: MIB, open: failing }))).toBe(broken);
  });

  it('stops when the run is stopped', async () => {
    const { cloud, ctx } = await open({
      [FILE]: (_seen, { req }) => {
        req.once('data', () => ctx.abort());
        return undefined;
      },
    });
    const { make, state } = source(64 * MIB);
    expect((await failure(cloud.images.upload('i1', { size: 64 * MIB, open: make }))).code).toBe('interrupted');
    expect(state.stream?.destroyed).toBe(true);
  });

  it('begins with a token that lasts', async () => {
    let logins = 0;
    const { cloud, fake } = await open({
      'POST /identity/v3/auth/tokens': (_seen, { req }) => {
        logins++;
        const life = {
          issued_at: '2026-01-02T03:00:00Z',
          expires_at: `2026-01-02T0${logins === 1 ? '3:10' : '9:00'}:00Z`,
        };
        return {
          status: 201,
          headers: { 'x-subject-token': `t${logins}` },
          body: tokenBody(`http://${req.headers.host ?? ''}`, life),
        };
      },
      [FILE]: takes({ bytes: 0 }),
    });
    await cloud.images.upload('i1', { size: 10, open: source(10).make });
    expect(fake.seen.at(-1)?.headers['x-auth-token']).toBe('t2');
  });
});

describe('TLS', () => {
  const server = selfSignedCertificate();
  const client = selfSignedCertificate();
  const files: Record<string, string> = { '/ca.pem': server.cert, '/cert.pem': client.cert, '/key.pem': client.key };
  const go = async (fake: FakeCloud, changes: Partial<CloudConfig>) => {
    const ctx = testContext();
    const cloud = await connectCloud(fakeConfig(fake.url, changes), ctx, {
      readFile: (path) =>
        files[path] === undefined
          ? Promise.reject(Object.assign(new Error('x'), { code: 'ENOENT' }))
          : Promise.resolve(files[path]),
    });
    onTestFinished(() => cloud.close());
    return { cloud, ctx };
  };

  it('refuses an authority that it does not know, takes the one of cacert, and none if told so', async () => {
    const fake = await fakeCloud({}, { key: server.key, cert: server.cert });
    onTestFinished(() => fake.close());
    const error = await failure(go(fake, {}));
    expect(error).toMatchObject({ code: 'cloud.tls', hint: expect.stringContaining('cacert') as string });
    expect((await go(fake, { cacert: '/ca.pem' })).cloud.user.name).toBe('demo');
    const warnings = [{ code: 'config.tls_unverified', message: 'not verified' }];
    const insecure = await go(fake, { verify: false, warnings });
    expect(insecure.ctx.told).toEqual([{ kind: 'warning', ...warnings[0] }]);
    expect((await failure(go(fake, { cacert: '/nope.pem' }))).message).toContain('/nope.pem');
  });

  it('shows a client certificate', async () => {
    const fake = await fakeCloud(
      {},
      { key: server.key, cert: server.cert, requestCert: true, rejectUnauthorized: true, ca: client.cert },
    );
    onTestFinished(() => fake.close());
    expect((await go(fake, { cacert: '/ca.pem', cert: '/cert.pem', key: '/key.pem' })).cloud.user.name).toBe('demo');
    expect((await failure(go(fake, { cacert: '/ca.pem' }))).code).toMatch(/^cloud\.(tls|unreachable)$/);
  });

  it('says that a port does not speak TLS', async () => {
    const fake = await fakeCloud();
    onTestFinished(() => fake.close());
    const error = await failure(go({ ...fake, url: fake.url.replace('http:', 'https:') }, {}));
    expect(error.code).toBe('cloud.tls');
    expect(error.hint).toContain('https');
  });
});

describe('the network', () => {
  it('says that nobody listens', async () => {
    const fake = await fakeCloud();
    await fake.close();
    const error = await failure(
      connectCloud(fakeConfig(fake.url), testContext(), { readFile: () => Promise.resolve('') }),
    );
    expect(error).toMatchObject({ code: 'cloud.unreachable' });
    expect(error.message).toContain('connection refused');
  });

  it('gives up on a service that is silent', async () => {
    const fake = await fakeCloud({ 'GET /image/v2/images/i1': () => undefined });
    onTestFinished(() => fake.close());
    const cloud = await connectCloud(fakeConfig(fake.url), testContext(), {
      readFile: () => Promise.resolve(''),
      requestTimeoutMs: 60,
    });
    onTestFinished(() => cloud.close());
    const error = await failure(cloud.images.get('i1'));
    expect(error.code).toBe('cloud.unreachable');
    expect(fake.count('GET /image/v2/images/i1')).toBe(5);
  });

  it('goes through a proxy, except where NO_PROXY says otherwise', async () => {
    const asked: string[] = [];
    const proxy = createHttpServer();
    proxy.on('connect', (req, socket) => {
      asked.push(`${req.url ?? ''} ${req.headers['proxy-authorization'] ?? ''}`);
      const [host = '', port = ''] = (req.url ?? '').split(':');
      const onward = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      onward.on('error', () => socket.destroy());
      socket.on('error', () => onward.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => new Promise((resolve) => proxy.close(() => resolve(undefined))));
    const at = `http://me:pw@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const fake = await fakeCloud();
    onTestFinished(() => fake.close());
    const go = async (no: string[]) => {
      const config = fakeConfig(fake.url, { proxy: { http: at, https: null, no } });
      (await connectCloud(config, testContext(), { readFile: () => Promise.resolve('') })).close();
    };
    await go([]);
    expect(asked).toEqual([`${new URL(fake.url).host} Basic ${Buffer.from('me:pw').toString('base64')}`]);
    await go(['127.0.0.0/8']);
    expect(asked).toHaveLength(1);
  });

  it('does not carry the token to another place by a redirect', async () => {
    const other = await fakeCloud({ 'GET /stolen': { body: {} } });
    onTestFinished(() => other.close());
    const { cloud } = await open({
      'GET /image/v2/images/i1': { status: 302, headers: { location: `${other.url}/stolen` } },
      'GET /image/v2/images/i2': { status: 302, headers: { location: '/moved' } },
      'GET /moved': { body: { id: 'i2', status: 'active' } },
    });
    expect((await failure(cloud.images.get('i1'))).details['status']).toBe(302);
    expect(other.seen).toEqual([]);
    expect((await cloud.images.get('i2')).id).toBe('i2');
  });
});
