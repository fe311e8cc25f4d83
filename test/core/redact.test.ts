import { describe, expect, it } from 'vitest';
import { redactText } from '../../src/core/redact.js';

describe('redactText', () => {
  it.each([
    ['https://root:s3cret@esx1/sdk', 'https://root:***@esx1/sdk'],
    ['cannot reach root:s3cret@esx1', 'cannot reach root:***@esx1'],
    ['"root:s3cret@[::1]"', '"root:***@[::1]"'],
    ['--esxi=root:s3cret@esx1', '--esxi=root:***@esx1'],
    ['--os-password=s3cret and more', '--os-password=*** and more'],
    ["OS_PASSWORD='s3 cret'", 'OS_PASSWORD=***'],
    ['x-auth-token: s3cret', 'x-auth-token: ***'],
  ])('%s becomes %s', (text, shown) => expect(redactText(text)).toBe(shown));

  it.each([
    'root@esx1:22 answers',
    'Log in as root: see user@example.org',
    '--esxi-password-file=/run/secret',
    'a:b c@d',
  ])('leaves %s as it is', (text) => expect(redactText(text)).toBe(text));
});
