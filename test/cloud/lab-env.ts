import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What `scripts/lab PART env` says of a host: our variables, govc's, the simulator's own. */
export async function labEnv(part: string): Promise<Record<string, string>> {
  const script = `eval "$(scripts/lab ${part} env)"; env -0`;
  const { stdout } = await promisify(execFile)('bash', ['-c', script], { cwd: ROOT });
  const pairs = stdout.split('\0').flatMap((line) => {
    const at = line.indexOf('=');
    return /^(?:STACKFERRY_ESXI|GOVC_|LAB_VCSIM)/.test(line) ? [[line.slice(0, at), line.slice(at + 1)]] : [];
  });
  return Object.fromEntries(pairs) as Record<string, string>;
}
