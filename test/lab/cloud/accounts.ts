/** How a client logs in: clouds.yaml and `OS_*` variables of the seeded accounts. */
import { chmod, writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import { REGION } from './identity/catalog.js';
import { PASSWORD } from './seed.js';
import type { CloudState } from './state.js';
import type { CredentialKind } from './types.js';

export const CREDENTIALS: readonly CredentialKind[] = ['lab', 'lab-appcred', 'lab-poor', 'lab-admin'];

function passwordAuth(kind: CredentialKind): { username: string; project: string } {
  if (kind === 'lab-admin') return { username: 'admin', project: 'admin' };
  return { username: 'lab', project: kind === 'lab-poor' ? 'lab-poor' : 'lab' };
}

function credentialOf(state: CloudState): { id: string; secret: string } {
  const credential = state.applicationCredentials[0];
  if (!credential) throw new Error('the cloud has no application credential');
  return credential;
}

export function environmentOf(
  state: CloudState,
  authUrl: string,
  caFile: string | null,
  kind: CredentialKind,
): Record<string, string> {
  const common = {
    OS_AUTH_URL: authUrl,
    OS_REGION_NAME: REGION,
    OS_IDENTITY_API_VERSION: '3',
    ...(caFile === null ? {} : { OS_CACERT: caFile }),
  };
  if (kind === 'lab-appcred') {
    const { id, secret } = credentialOf(state);
    return {
      ...common,
      OS_AUTH_TYPE: 'v3applicationcredential',
      OS_APPLICATION_CREDENTIAL_ID: id,
      OS_APPLICATION_CREDENTIAL_SECRET: secret,
    };
  }
  const { username, project } = passwordAuth(kind);
  return {
    ...common,
    OS_AUTH_TYPE: 'password',
    OS_USERNAME: username,
    OS_PASSWORD: PASSWORD,
    OS_PROJECT_NAME: project,
    OS_USER_DOMAIN_NAME: 'Default',
    OS_PROJECT_DOMAIN_NAME: 'Default',
  };
}

export async function writeCloudsYaml(
  path: string,
  state: CloudState,
  authUrl: string,
  caFile: string | null,
): Promise<void> {
  const clouds: Record<string, object> = Object.fromEntries(
    CREDENTIALS.map((kind): [CredentialKind, object] => {
      const common = {
        region_name: REGION,
        identity_api_version: 3,
        ...(caFile === null ? {} : { cacert: caFile }),
      };
      if (kind === 'lab-appcred') {
        const { id, secret } = credentialOf(state);
        const auth = { auth_url: authUrl, application_credential_id: id, application_credential_secret: secret };
        return [kind, { auth_type: 'v3applicationcredential', auth, ...common }];
      }
      const { username, project } = passwordAuth(kind);
      const auth = {
        auth_url: authUrl,
        username,
        password: PASSWORD,
        project_name: project,
        user_domain_name: 'Default',
        project_domain_name: 'Default',
      };
      return [kind, { auth, ...common }];
    }),
  );
  await writeFile(path, stringify({ clouds }), { mode: 0o600 });
  // The mode counts only for a new file.
  await chmod(path, 0o600);
}
