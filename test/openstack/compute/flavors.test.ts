import { describe, expect, it } from 'vitest';
import { connected, failure } from '../support/connect.js';

const FLAVORS = '/compute/v2.1/flavors';
const flavor = { id: 'stackferry-3-5120', name: 'stackferry-3-5120', vcpus: 3, ram: 5120, disk: 0 };
const input = { id: flavor.id, vcpus: 3, ramMib: 5120 };

describe('flavors', () => {
  it('are made for this project alone, without a root disk', async () => {
    const { cloud, fake, ctx } = await connected({
      [`POST ${FLAVORS}`]: { body: { flavor } },
      [`POST ${FLAVORS}/${flavor.id}/action`]: { body: { flavor_access: [] } },
    });
    expect(await cloud.flavors.create(input)).toMatchObject(flavor);
    const sent = fake.seen.filter(({ method, path }) => method === 'POST' && path.startsWith(FLAVORS));
    expect(sent.map(({ body }) => body)).toEqual([
      { flavor: { ...flavor, 'os-flavor-access:is_public': false } },
      { addTenantAccess: { tenant: cloud.project.id } },
    ]);
    expect(ctx.told).toContainEqual({ kind: 'resource.created', resource: 'flavor', id: flavor.id, name: flavor.id });
  });

  it('whose creation got no answer are looked up, and not made again', async () => {
    const { cloud, fake } = await connected({
      [`POST ${FLAVORS}`]: { status: 502 },
      [`GET ${FLAVORS}/${flavor.id}`]: { body: { flavor } },
      [`POST ${FLAVORS}/${flavor.id}/action`]: { status: 409 },
    });
    expect((await cloud.flavors.create(input)).id).toBe(flavor.id);
    expect(fake.count(`POST ${FLAVORS}`)).toBe(1);
  });

  it('are for administrators to make, and the refusal says so', async () => {
    const { cloud } = await connected({ [`POST ${FLAVORS}`]: { status: 403 } });
    const error = await failure(cloud.flavors.create(input));
    expect(error.code).toBe('cloud.forbidden');
    expect(error.hint).toContain('--create-flavor');
  });

  it('are deleted once', async () => {
    const { cloud } = await connected({ [`DELETE ${FLAVORS}/x`]: [{ status: 202 }, { status: 404 }] });
    expect(await cloud.flavors.delete('x')).toBe(true);
    expect(await cloud.flavors.delete('x')).toBe(false);
  });
});
