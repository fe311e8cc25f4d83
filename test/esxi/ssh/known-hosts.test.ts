import { createHmac } from 'node:crypto';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  fingerprintOf,
  hostToken,
  knownHostLine,
  knownKeyTypes,
  lookUp,
  parseKnownHosts,
} from '../../../src/esxi/ssh/known-hosts.js';
import { keygen, tempDir } from './harness.js';

let dir = '';
let line: Record<string, string> = {};
let blob: Record<string, Buffer> = {};

beforeAll(() => {
  dir = tempDir();
  for (const name of ['a', 'b']) keygen('-t', 'ed25519', '-N', '', '-f', join(dir, name));
  keygen('-t', 'ecdsa', '-N', '', '-f', join(dir, 'c'));
  for (const name of ['a', 'b', 'c']) {
    const [type = '', base64 = ''] = readFileSync(join(dir, `${name}.pub`), 'utf8').split(' ');
    line[name] = `${type} ${base64}`;
    blob[name] = Buffer.from(base64, 'base64');
  }
});
afterAll(() => {
  rmSync(dir, { recursive: true });
  line = {};
  blob = {};
});

const A = () => blob['a'] ?? Buffer.alloc(0);
const B = () => blob['b'] ?? Buffer.alloc(0);
const C = () => blob['c'] ?? Buffer.alloc(0);
const verdict = (text: string, host: string, port: number, key: Buffer) =>
  lookUp(parseKnownHosts(text), { host, port }, key).verdict;

describe('known_hosts', () => {
  it('prints fingerprints as ssh-keygen does', () => {
    for (const name of ['a', 'c']) {
      const printed = keygen('-l', '-f', join(dir, `${name}.pub`)).split(' ')[1];
      expect(fingerprintOf(blob[name] ?? Buffer.alloc(0))).toBe(printed);
    }
  });

  it.each([
    ['esx1 A', 'esx1', 22, 'match'],
    ['ESX1 A', 'esx1', 22, 'match'],
    ['esx1 A', 'ESX1', 22, 'match'],
    ['esx1 A comment with words', 'esx1', 22, 'match'],
    ['  esx1\tA', 'esx1', 22, 'match'],
    ['esx1 A\r', 'esx1', 22, 'match'],
    ['other,esx1,10.0.0.1 A', 'esx1', 22, 'match'],
    ['*.example,esx? A', 'esx1', 22, 'match'],
    ['*.example A', 'esx1.example', 22, 'match'],
    ['*.example,!esx1.example A', 'esx1.example', 22, 'unknown'],
    ['!esx1 A', 'esx1', 22, 'unknown'],
    ['esx1 B', 'esx1', 22, 'changed'],
    ['esx1 C', 'esx1', 22, 'unknown'],
    ['esx1 B\nesx1 A', 'esx1', 22, 'match'],
    ['esx2 A', 'esx1', 22, 'unknown'],
    ['esx1 A', 'esx11', 22, 'unknown'],
    ['[esx1]:2222 A', 'esx1', 2222, 'match'],
    ['[esx1]:2222 B', 'esx1', 2222, 'changed'],
    ['[esx1]:2222 A', 'esx1', 22, 'unknown'],
    ['[esx1]:2223 A', 'esx1', 2222, 'unknown'],
    ['esx1 A', 'esx1', 2222, 'match'],
    ['esx1 B', 'esx1', 2222, 'unknown'],
    ['@revoked esx1 A', 'esx1', 22, 'revoked'],
    ['esx1 A\n@revoked * A', 'esx1', 22, 'revoked'],
    ['@revoked esx1 A', 'esx1', 2222, 'revoked'],
    ['@revoked esx1 B\nesx1 A', 'esx1', 22, 'match'],
    ['@cert-authority esx1 A', 'esx1', 22, 'unknown'],
    ['@cert-authority * B', 'esx1', 22, 'unknown'],
    ['@nonsense esx1 A', 'esx1', 22, 'unknown'],
    ['# esx1 A', 'esx1', 22, 'unknown'],
    ['esx1', 'esx1', 22, 'unknown'],
    ['esx1 ssh-ed25519 not/base64!', 'esx1', 22, 'unknown'],
    ['esx1 ssh-rsa AAAAC3NzaC1lZDI1NTE5', 'esx1', 22, 'unknown'],
    ['garbage line\n\n\u0000\u0001\nesx1 A', 'esx1', 22, 'match'],
    ['', 'esx1', 22, 'unknown'],
  ])('%j for %s:%i is %s', (text, host, port, expected) => {
    const filled = text
      .replaceAll(/\bA\b/g, line['a'] ?? '')
      .replaceAll(/\bB\b/g, line['b'] ?? '')
      .replaceAll(/\bC\b/g, line['c'] ?? '');
    expect(verdict(filled, host, port, A())).toBe(expected);
  });

  it('lists the known keys for the message, and their types for the handshake', () => {
    const entries = parseKnownHosts(`esx1 ${line['b']}\nesx1 ${line['c']}\n@revoked esx1 ${line['a']}\n`);
    expect(lookUp(entries, { host: 'esx1', port: 22 }, B()).known).toEqual([fingerprintOf(B()), fingerprintOf(C())]);
    expect(knownKeyTypes(entries, 'esx1', 22)).toEqual(['ssh-ed25519', 'ecdsa-sha2-nistp256']);
    expect(knownKeyTypes(entries, 'esx2', 22)).toEqual([]);
  });

  it('reads what ssh-keygen -H hashes', () => {
    const file = join(dir, 'hashed');
    writeFileSync(file, `esx1,10.0.0.1 ${line['a']}\n[esx2]:2222 ${line['b']}\n@revoked esx3 ${line['c']}\n`);
    copyFileSync(file, `${file}.plain`);
    keygen('-H', '-f', file);
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('|1|');
    expect(text).not.toMatch(/^esx1/m);
    expect(verdict(text, 'esx1', 22, A())).toBe('match');
    expect(verdict(text, '10.0.0.1', 22, A())).toBe('match');
    expect(verdict(text, 'esx1', 22, B())).toBe('changed');
    expect(verdict(text, 'esx2', 2222, B())).toBe('match');
    expect(verdict(text, 'esx2', 22, B())).toBe('unknown');
    expect(verdict(text, 'esx3', 22, C())).toBe('revoked');
    expect(verdict(text, 'esx4', 22, A())).toBe('unknown');
  });

  it('writes lines that ssh-keygen -F finds', () => {
    const file = join(dir, 'written');
    writeFileSync(file, knownHostLine('esx1', 22, A()) + knownHostLine('ESX2.example', 2222, C()));
    expect(keygen('-F', 'esx1', '-f', file)).toContain(line['a']);
    expect(keygen('-F', '[esx2.example]:2222', '-f', file)).toContain(line['c']);
  });

  const name = fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,20}$/);
  const port = fc.integer({ min: 1, max: 65535 });

  it('finds again whatever it wrote, and nothing else', () => {
    fc.assert(
      fc.property(name, port, name, port, (host, hostPort, other, otherPort) => {
        const text = knownHostLine(host, hostPort, A());
        expect(verdict(text, host.toUpperCase(), hostPort, A())).toBe('match');
        expect(verdict(text, host, hostPort, B())).toBe('changed');
        if (other !== host) expect(verdict(text, other, otherPort, A())).toBe('unknown');
      }),
    );
  });

  it('finds hashed hosts, and nothing else', () => {
    fc.assert(
      fc.property(name, port, fc.uint8Array({ minLength: 20, maxLength: 20 }), name, (host, hostPort, bytes, other) => {
        const salt = Buffer.from(bytes);
        const hash = createHmac('sha1', salt).update(hostToken(host, hostPort)).digest('base64');
        const text = `|1|${salt.toString('base64')}|${hash} ${line['a']}\n`;
        expect(verdict(text, host, hostPort, A())).toBe('match');
        if (other !== host) expect(verdict(text, other, hostPort, A())).toBe('unknown');
      }),
    );
  });

  it('reads any text without throwing, and never trusts by accident', () => {
    const piece = fc.constantFrom(
      'esx1',
      '*',
      '!',
      '|1|',
      '@revoked',
      ' ',
      '\n',
      ',',
      '[',
      ']:22',
      'ssh-ed25519',
      'AAAA',
      '=',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(piece).map((p) => p.join('')),
        ),
        (text) => {
          expect(verdict(text, 'esx1', 22, A())).toBe('unknown');
        },
      ),
    );
  });

  it('matches long wildcard patterns without blowing up', () => {
    const text = `${'*a'.repeat(200)}b ${line['a']}\n`;
    const start = performance.now();
    expect(verdict(text, 'a'.repeat(2000), 22, A())).toBe('unknown');
    expect(performance.now() - start).toBeLessThan(500);
  });
});
