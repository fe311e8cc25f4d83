import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The machine of a guide's reader: a home of its own, and a PATH on which `stackferry` is the built program. */

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

export interface Reader {
  home: string;
  /** Of the guide's shell. */
  env: Record<string, string>;
}

/** Makes the reader's home under `dir`. The name `esx1`, which guides use, leads to this machine. */
export async function makeReader(dir: string): Promise<Reader> {
  const home = join(dir, 'home');
  const bin = join(dir, 'bin');
  await mkdir(join(home, '.ssh'), { recursive: true, mode: 0o700 });
  await mkdir(join(home, '.config/openstack'), { recursive: true });
  await mkdir(bin);
  const names = join(dir, 'names.mjs');
  await writeFile(
    names,
    [
      "import dns from 'node:dns';",
      'const real = dns.lookup;',
      "dns.lookup = (name, ...more) => real(name === 'esx1' ? '127.0.0.1' : name, ...more);",
      '',
    ].join('\n'),
  );
  await script(
    join(bin, 'stackferry'),
    `exec '${process.execPath}' --import '${pathToFileURL(names).href}' '${CLI}' "$@"`,
  );
  await script(join(bin, 'node'), `exec '${process.execPath}' "$@"`);
  return {
    home,
    env: {
      HOME: home,
      PATH: `${bin}:${process.env['PATH'] ?? ''}`,
      LANG: 'C.UTF-8',
      NO_COLOR: '1',
    },
  };
}

/** `ssh` and `scp` that know where `esx1` is, as a reader's DNS does, and type the password that a reader would type. */
export async function addSshClients(
  reader: Reader,
  host: { address: string; port: string; password: string; knownHosts: string },
): Promise<void> {
  const bin = reader.env['PATH']?.split(':', 1)[0] ?? '';
  const config = join(reader.home, '.ssh/config');
  await writeFile(join(reader.home, '.ssh/known_hosts'), host.knownHosts);
  await writeFile(
    config,
    [
      'Host esx1',
      `  HostName ${host.address}`,
      `  Port ${host.port}`,
      '  HostKeyAlias esx1',
      `  UserKnownHostsFile ${reader.home}/.ssh/known_hosts`,
      '  StrictHostKeyChecking yes',
      '  NumberOfPasswordPrompts 1',
      '  LogLevel ERROR',
      '',
    ].join('\n'),
  );
  for (const program of ['ssh', 'scp'])
    await script(join(bin, program), `exec /usr/bin/${program} -F '${config}' "$@"`);
  const typed = join(reader.home, '.password');
  await writeFile(typed, `${host.password}\n`, { mode: 0o600 });
  await script(join(bin, 'askpass'), `cat '${typed}'`);
  Object.assign(reader.env, { SSH_ASKPASS: join(bin, 'askpass'), SSH_ASKPASS_REQUIRE: 'force' });
}

export async function writeClouds(reader: Reader, clouds: Record<string, unknown>): Promise<void> {
  const file = join(reader.home, '.config/openstack/clouds.yaml');
  await writeFile(file, JSON.stringify({ clouds }, null, 2), { mode: 0o600 }); // JSON is YAML
}

async function script(path: string, line: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${line}\n`);
  await chmod(path, 0o755);
}
