import { expect, it } from 'vitest';
import { checkImageSize, defaultSecurityGroupWarning } from '../../../src/migration/preflight/index.js';

const TIB = 1024 ** 4;

it('warns of an image above Glance’s default cap, not at it', () => {
  expect(checkImageSize('scsi0:0', TIB)).toBeNull();
  const warning = checkImageSize('scsi0:1', TIB + 1);
  expect(warning?.code).toBe('cloud.image_too_large');
  expect(warning?.message).toMatch(/scsi0:1 .*1 TiB.*image_size_cap/);
  expect(checkImageSize('scsi0:0', 3 * TIB)?.message).toContain('3 TiB');
});

it('warns of the default group only where no other is named', () => {
  expect(defaultSecurityGroupWarning(false)).toBeNull();
  const warning = defaultSecurityGroupWarning(true);
  expect(warning?.code).toBe('cloud.default_security_group');
  expect(warning?.hint).toContain('--security-group');
});
