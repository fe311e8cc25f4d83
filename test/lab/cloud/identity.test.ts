import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { login, passwordLogin, send, type Found } from './client.js';
import { startCloud } from './index.js';
import type { EmbeddedCloud } from './index.js';

let cloud: EmbeddedCloud;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lab-cloud-'));
  cloud = await startCloud({ directory });
});
afterAll(async () => {
  await cloud.stop();
  await rm(directory, { recursive: true, force: true });
});

const tokens = () => `${cloud.authUrl}/auth/tokens`;

describe('Keystone', () => {
  it('names its versions without a token', async () => {
    const all = await send(`${cloud.url}/identity`, 'GET');
    expect(all.status).toBe(300);
    expect(all.body.versions.values[0].id).toBe('v3.14');
    expect((await send(`${cloud.authUrl}/`, 'GET')).body.version.status).toBe('stable');
  });

  it('gives a token, in a header, with a catalog of official types and volumev3', async () => {
    const answer = await send(tokens(), 'POST', { json: passwordLogin('lab') });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('x-subject-token')).toMatch(/^gAAAA/);
    expect(answer.headers.get('x-openstack-request-id')).toMatch(/^req-/);
    const { token } = answer.body;
    expect(token.project.name).toBe('lab');
    expect(token.catalog.map((one) => one.type)).toEqual([
      'identity',
      'image',
      'block-storage',
      'volumev3',
      'compute',
      'network',
    ]);
    expect(token.catalog[2]?.endpoints[0].url).toBe(`${cloud.url}/volume/v3/${token.project.id}`);
  });

  it('scopes to the default project where none is asked for, and to none for "unscoped"', async () => {
    expect((await send(tokens(), 'POST', { json: passwordLogin(null) })).body.token.project.name).toBe('lab');
    const unscoped = { auth: { ...(passwordLogin(null) as { auth: object }).auth, scope: 'unscoped' } };
    expect((await send(tokens(), 'POST', { json: unscoped })).body.token.project).toBeUndefined();
  });

  it.each([
    ['a wrong password', passwordLogin('lab', 'x')],
    ['an unknown user', passwordLogin('lab', 'lab', 'nobody')],
    ['an unknown project', passwordLogin('nope')],
    ['a project without a role', passwordLogin('admin')],
  ])('answers 401 and tells nothing for %s', async (_, json) => {
    const answer = await send(tokens(), 'POST', { json });
    expect(answer.status).toBe(401);
    expect(answer.body).toEqual({
      error: { code: 401, message: 'The request you have made requires authentication.', title: 'Unauthorized' },
    });
    expect(answer.headers.get('www-authenticate')).toBe(`Keystone uri="${cloud.url}/identity"`);
  });

  it('refuses what is no request for a token with 400', async () => {
    expect((await send(tokens(), 'POST', { json: {} })).body.error.message).toMatch(/^Expecting to find auth in/);
    expect((await send(tokens(), 'POST', { json: { auth: { identity: { methods: ['zz'] } } } })).status).toBe(400);
    expect((await send(tokens(), 'POST', { body: '{' })).status).toBe(400);
  });

  it('takes an application credential, which allows no scope', async () => {
    const env = cloud.environment('lab-appcred');
    const credential = {
      id: env['OS_APPLICATION_CREDENTIAL_ID'],
      secret: env['OS_APPLICATION_CREDENTIAL_SECRET'],
    };
    const identity = { methods: ['application_credential'], application_credential: credential };
    const answer = await send(tokens(), 'POST', { json: { auth: { identity } } });
    expect(answer.status).toBe(201);
    expect(answer.body.token.application_credential.id).toBe(credential.id);
    const scope = { project: { name: 'lab', domain: { id: 'default' } } };
    expect((await send(tokens(), 'POST', { json: { auth: { identity, scope } } })).status).toBe(401);
  });

  it('exchanges a token for one of another project, and revokes one', async () => {
    const { token } = await login(cloud);
    const identity = { methods: ['token'], token: { id: token } };
    const scope = { project: { name: 'lab-poor', domain: { name: 'Default' } } };
    const answer = await send(tokens(), 'POST', { json: { auth: { identity, scope } } });
    expect(answer.body.token.project.name).toBe('lab-poor');
    const headers = { 'x-auth-token': token, 'x-subject-token': token };
    expect((await send(tokens(), 'GET', { headers })).status).toBe(200);
    expect((await send(tokens(), 'DELETE', { headers })).status).toBe(204);
    expect((await send(tokens(), 'GET', { headers })).status).toBe(401);
  });

  it('ends a token after its life, or when a test says so', async () => {
    const client = await login(cloud);
    expect((await client.image('GET', '/v2/images')).status).toBe(200);
    cloud.expireTokens();
    const refused = await client.image('GET', '/v2/images');
    expect(refused.status).toBe(401);
    expect(refused.body.error.title).toBe('Unauthorized');
    cloud.settings.tokenLifetimeSeconds = 0.05;
    const brief = await login(cloud);
    cloud.settings.tokenLifetimeSeconds = 4 * 3600;
    expect((await brief.image('GET', '/v2/images')).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect((await brief.image('GET', '/v2/images')).status).toBe(401);
  });

  it('lists own projects, and all of them only to the admin', async () => {
    const lab = await login(cloud);
    const admin = await login(cloud, 'admin', 'admin');
    const get = (path: string, token: string) =>
      send(cloud.authUrl + path, 'GET', { headers: { 'x-auth-token': token } });
    const names = (body: Found) => body.projects.map((one) => one.name);
    expect(names((await get('/auth/projects', lab.token)).body)).toEqual(['lab', 'lab-poor']);
    expect((await get('/projects', lab.token)).status).toBe(403);
    expect(names((await get('/projects', admin.token)).body)).toEqual(['lab', 'lab-poor', 'admin']);
    expect((await get(`/projects/${lab.projectId}`, lab.token)).body.project.name).toBe('lab');
    expect((await get('/projects/nope', lab.token)).status).toBe(403);
  });

  it('writes clouds.yaml for its owner alone', async () => {
    expect((await stat(cloud.cloudsYaml)).mode & 0o777).toBe(0o600);
  });
});
