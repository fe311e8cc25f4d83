import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { connectionError, serviceError, serviceMessage } from '../../src/openstack/errors.js';

describe('what a service says', () => {
  it.each([
    [
      'Keystone',
      '{"error": {"code": 401, "message": "The request you have made requires authentication.", "title": "Unauthorized"}}',
      'The request you have made requires authentication.',
    ],
    ['Nova', '{"forbidden": {"code": 403, "message": "Quota exceeded for cores"}}', 'Quota exceeded for cores'],
    [
      'Nova, not found',
      '{"itemNotFound": {"message": "Instance x could not be found.", "code": 404}}',
      'Instance x could not be found.',
    ],
    ['Cinder', '{"badRequest": {"code": 400, "message": "Invalid input received"}}', 'Invalid input received'],
    [
      'Placement',
      '{"errors": [{"status": 404, "title": "Not Found", "detail": "No resource provider"}]}',
      'No resource provider',
    ],
    [
      'Glance, JSON',
      '{"message": "Image ID x already exists!<br /><br />\\n\\n\\n", "code": "409 Conflict"}',
      'Image ID x already exists!',
    ],
    ['plain message', '{"message": "no", "code": "404 Not Found"}', 'no'],
    ['nested message', '{"message": {"detail": "deep"}}', 'deep'],
    [
      'Glance',
      '<html>\n <head>\n  <title>409 Conflict</title>\n </head>\n <body>\n  <h1>409 Conflict</h1>\n  There was a conflict &lt;here&gt;<br /><br />\n </body>\n</html>',
      'There was a conflict <here>',
    ],
    ['a proxy', '<html><head><title>x</title></head><body><h1>502 Bad Gateway</h1></body></html>', '502 Bad Gateway'],
    ['plain text', 'upstream connect error', 'upstream connect error'],
    ['nothing', '', ''],
  ])('reads %s', (_service, body, text) => {
    expect(serviceMessage(body).text).toBe(text);
  });

  it('reads the type that Neutron gives', () => {
    const body =
      '{"NeutronError": {"type": "MacAddressInUse", "message": "Unable to complete operation", "detail": ""}}';
    expect(serviceMessage(body)).toEqual({ text: 'Unable to complete operation', type: 'MacAddressInUse' });
  });

  it('never fails, is one line, bounded, and shows no token', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.string().map((text) => `<p>${text}`),
        ),
        (body) => {
          const { text } = serviceMessage(body);
          expect(text).not.toMatch(/\n/);
          expect(text.length).toBeLessThanOrEqual(601);
        },
      ),
    );
    expect(serviceMessage('{"message": "X-Auth-Token: gAAAAABlQ0123456789abcdefghijk"}').text).not.toContain('gAAAAAB');
  });
});

describe('an answer that is a refusal', () => {
  const refuse = (status: number, body: string, service = 'compute') =>
    serviceError({
      what: 'create server web01',
      service,
      method: 'POST',
      path: '/v2.1/servers',
      status,
      requestId: 'req-1',
      body,
    });

  it('says what failed, why, where, and the request ID', () => {
    const error = refuse(400, '{"badRequest": {"message": "Invalid key_name provided."}}');
    expect(error.message).toBe(
      'Could not create server web01: Invalid key_name provided. (compute: POST /v2.1/servers answered 400, request req-1)',
    );
    expect(error).toMatchObject({ code: 'cloud.bad_request', details: { status: 400, request_id: 'req-1' } });
  });

  it.each([
    ['compute', '/v2.1/servers', 'Invalid key_name provided.', '--key-name'],
    ['compute', '/v2.1/servers', "Invalid input for field/attribute hostname. Value: x. 'x' is too short", '--name'],
    ['compute', '/v2.1/servers', 'The requested availability zone is not available', '--zone'],
    ['compute', '/v2.1/servers', 'Block Device Mapping is Invalid', '--name, --flavor, --zone'],
    ['block-storage', '/v3/p1/volumes', "Availability zone 'x' is invalid", '--volume-zone'],
    ['network', '/v2.0/ports', "Invalid input for mac_address. Reason: 'x' is not a valid MAC address.", 'mac=MAC'],
    ['image', '/v2/images', 'Invalid disk format', '--name, --image-format'],
  ])('names the option that a 400 of %s %s is about: %s', (service, path, message, option) => {
    const request = { what: 'create it', method: 'POST', status: 400, requestId: undefined };
    const error = serviceError({ ...request, service, path, body: JSON.stringify({ badRequest: { message } }) });
    expect(error.hint).toContain(option);
    const act = serviceError({ ...request, service, path: `${path}/1/action`, body: '{}' });
    expect(act.hint).not.toContain('--name');
  });

  it.each([
    [
      403,
      '{"forbidden": {"message": "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances"}}',
      'compute',
      'cloud.quota',
    ],
    [
      413,
      '{"overLimit": {"message": "VolumeSizeExceedsAvailableQuota: Requested volume exceeds allowed gigabytes quota."}}',
      'block-storage',
      'cloud.quota',
    ],
    [
      409,
      '{"NeutronError": {"type": "OverQuota", "message": "Quota exceeded for resources: [\'port\']."}}',
      'network',
      'cloud.quota',
    ],
    [413, '<html><body>Image exceeds the storage quota</body></html>', 'image', 'cloud.quota'],
    [413, '<html><body>Image size limit</body></html>', 'image', 'cloud.image_too_large'],
    [403, '{"forbidden": {"message": "Policy doesn\'t allow it"}}', 'compute', 'cloud.forbidden'],
    [401, '', 'compute', 'cloud.unauthorized'],
    [404, '', 'compute', 'cloud.not_found'],
    [409, '', 'compute', 'cloud.conflict'],
    [429, '', 'compute', 'cloud.rate_limited'],
    [500, '', 'compute', 'cloud.server_error'],
    [503, '', 'compute', 'cloud.server_error'],
    [302, '', 'compute', 'cloud.unexpected'],
  ])('%i %s of %s is %s', (status, body, service, code) => {
    const error = refuse(status, body, service);
    expect(error.code).toBe(code);
    expect(error.hint).toBeTruthy();
  });
});

describe('a request without an answer', () => {
  const url = new URL('https://nova.example.com:8774/v2.1/servers?secret=1');
  const fail = (code: string, cause?: unknown) =>
    connectionError(Object.assign(new Error('raw'), { code, ...(cause === undefined ? {} : { cause }) }), {
      what: 'list servers',
      service: 'compute',
      method: 'GET',
      url,
    });

  it.each([
    ['ECONNREFUSED', 'cloud.unreachable', false],
    ['ENOTFOUND', 'cloud.unreachable', false],
    ['ECONNRESET', 'cloud.unreachable', true],
    ['ETIMEDOUT', 'cloud.unreachable', true],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'cloud.tls', false],
    ['CERT_HAS_EXPIRED', 'cloud.tls', false],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'cloud.tls', false],
    ['EPROTO', 'cloud.tls', false],
  ])('%s is %s (sent: %s)', (raw, code, sent) => {
    const error = fail(raw);
    expect(error).toMatchObject({ code, details: { sent, system: raw } });
    expect(error.message).toContain('nova.example.com:8774');
    expect(error.message).not.toContain('secret');
  });

  it('looks behind the code of got', () => {
    expect(fail('ERR_GOT_REQUEST_ERROR', { code: 'ECONNREFUSED' }).details['system']).toBe('ECONNREFUSED');
  });
});
