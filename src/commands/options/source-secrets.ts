import { readFile } from 'node:fs/promises';
import { Secret, UsageError, systemCode, type Context } from '../../core/index.js';

/** Looks a variable up; an empty one counts as unset. */
export type Env = (name: string) => string | undefined;

/** Asks the person who is there. */
export async function askPassword(ctx: Context, who: string): Promise<Secret> {
  const text = await ctx.events.ask({
    type: 'secret',
    code: 'esxi.password',
    message: `Password for ${who}:`,
    option: 'set STACKFERRY_ESXI_PASSWORD or STACKFERRY_ESXI_PASSWORD_FILE, or use --esxi-key',
  });
  return new Secret(text);
}

/** The password of a file that an option names, of our variables, or of govc's (`inUrl`: that of GOVC_URL). */
export async function givenPassword(
  env: Env,
  passwordFile: string | undefined,
  inUrl: () => string | undefined,
): Promise<Secret | undefined> {
  if (passwordFile !== undefined) return readSecret(passwordFile);
  const own = env('STACKFERRY_ESXI_PASSWORD');
  if (own !== undefined) return new Secret(own);
  const file = env('STACKFERRY_ESXI_PASSWORD_FILE');
  if (file !== undefined) return readSecret(file);
  // govc's own rule: the variable may hold the password or the path of a file with it.
  const govc = env('GOVC_PASSWORD') ?? inUrl();
  if (govc === undefined) return undefined;
  return (await tryReadSecret(govc)) ?? new Secret(govc);
}

async function readSecret(path: string): Promise<Secret> {
  const secret = await tryReadSecret(path);
  if (secret?.reveal() === '') {
    // Sent, it would count as a failed login, and some of those lock the account.
    throw new UsageError(`The first line of the password file ${path} is empty.`, 'It holds the password there.');
  }
  if (secret) return secret;
  throw new UsageError(`The password file ${path} cannot be read.`, 'It holds the password in its first line.');
}

async function tryReadSecret(path: string): Promise<Secret | undefined> {
  try {
    return new Secret((await readFile(path, 'utf8')).replace(/\r?\n[^]*$/, ''));
  } catch (error) {
    if (systemCode(error) !== undefined) return undefined;
    throw error;
  }
}

/** Authorities to trust: a PEM file. */
export async function readAuthorities(path: string): Promise<string> {
  let pem: string;
  try {
    pem = await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new UsageError(`The file of authorities ${path} cannot be read.`, '--esxi-cacert names a PEM file.');
  }
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
  throw new UsageError(
    `${path} holds no certificate.`,
    '--esxi-cacert names a PEM file, with BEGIN CERTIFICATE lines.',
  );
}
