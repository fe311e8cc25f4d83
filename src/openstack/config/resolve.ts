import { isAbsolute, join } from 'node:path';
import { StackferryError } from '../../core/index.js';
import { OFFICIAL_TYPES, officialType } from '../identity/service-types.js';
import { authMethodOf, scopeOf } from './auth.js';
import { booleanOf, type Settings } from './settings.js';
import type { CloudConfig } from './types.js';

interface Origin {
  name: string | null;
  sources: string[];
  warnings: CloudConfig['warnings'];
  env: Readonly<Record<string, string | undefined>>;
  home: string;
  cwd: string;
}

/** Turns settings into a configuration, or says which one is missing or cannot be meant. */
export function resolveConfig(settings: Settings, origin: Origin): CloudConfig {
  const from = origin.name === null ? origin.sources.join(', ') : `cloud ${origin.name} (${origin.sources.join(', ')})`;
  const authUrl = settings.get('auth_url');
  if (authUrl === undefined) {
    throw new StackferryError('config.incomplete', `auth_url is missing in ${from}.`, {
      hint: 'It is the URL of Keystone: https://keystone.example.com:5000/v3.',
    });
  }
  if (!URL.canParse(authUrl) || !/^https?:$/.test(new URL(authUrl).protocol)) {
    throw new StackferryError('config.invalid', `auth_url of ${from} is not an http or https URL: ${authUrl}`, {
      hint: 'It looks like https://keystone.example.com:5000/v3.',
    });
  }
  refuseOldVersions(settings, authUrl, from);
  const regions = settings.get('regions')?.split('\n') ?? [];
  const region = settings.get('region_name') ?? null;
  if (region !== null && regions.length > 0 && !regions.includes(region)) {
    throw new StackferryError('config.invalid', `Region ${region} is not one of ${from}: ${regions.join(', ')}.`, {
      hint: 'Choose one of them with --os-region-name or OS_REGION_NAME.',
    });
  }
  const insecure = booleanOf(settings.get('insecure')) ?? false;
  const verify = (booleanOf(settings.get('verify')) ?? true) && !insecure;
  const warnings = [...origin.warnings];
  if (!verify) {
    warnings.push({
      code: 'config.tls_unverified',
      message: `The certificates of ${from} are not verified: whoever is on the way can read the password and the disks.`,
      hint: 'Set cacert to the authority that signed them, and take verify: false (or insecure) out.',
    });
  }
  const path = (key: string): string | null => {
    const value = settings.get(key);
    if (value === undefined) return null;
    if (value.startsWith('~/')) return join(origin.home, value.slice(2));
    return isAbsolute(value) ? value : join(origin.cwd, value);
  };
  return {
    name: origin.name,
    sources: origin.sources,
    authUrl,
    auth: authMethodOf(settings, from),
    scope: scopeOf(settings, from),
    region,
    interface: interfaceOf(settings.get('interface'), from),
    verify,
    cacert: path('cacert'),
    cert: path('cert'),
    key: path('key'),
    ...serviceSettings(settings),
    proxy: proxiesOf(origin.env),
    warnings,
  };
}

function interfaceOf(text: string | undefined, from: string): CloudConfig['interface'] {
  const word = (text ?? 'public').toLowerCase().replace(/url$/, '');
  if (word === 'public' || word === 'internal' || word === 'admin') return word;
  throw new StackferryError(
    'config.invalid',
    `interface of ${from} is ${text ?? ''}: public, internal or admin is meant.`,
    {
      hint: 'Set interface: public, unless this machine is inside the cloud.',
    },
  );
}

/** Versions that this program does not speak are refused at once, not by a 404 later. */
function refuseOldVersions(settings: Settings, authUrl: string, from: string): void {
  const lowest: Record<string, [service: string, major: number]> = {
    identity_api_version: ['Identity', 3],
    image_api_version: ['Image', 2],
    volume_api_version: ['Block Storage', 3],
    block_storage_api_version: ['Block Storage', 3],
  };
  for (const [key, [service, major]] of Object.entries(lowest)) {
    const value = settings.get(key);
    if (value !== undefined && Number.parseInt(value.replace(/^v/, ''), 10) < major) {
      throw new StackferryError(
        'config.unsupported',
        `${key} of ${from} is ${value}; stackferry speaks ${service} API v${major}.`,
        {
          hint: `Take ${key} out: every OpenStack since Queens (2018) has v${major}.`,
        },
      );
    }
  }
  if (/\/v2\.0\/?$/.test(new URL(authUrl).pathname) || settings.get('auth_type')?.startsWith('v2')) {
    throw new StackferryError(
      'config.unsupported',
      `${from} asks for Identity API v2, which OpenStack removed in 2018.`,
      {
        hint: 'End auth_url in /v3 and use auth_type: password.',
      },
    );
  }
}

/** `compute_endpoint_override`, `volumev3_api_version: 3.59`, `compute_default_microversion` and their like. */
function serviceSettings(settings: Settings): Pick<CloudConfig, 'endpointOverrides' | 'maxMicroversions'> {
  const endpointOverrides: Record<string, string> = {};
  const maxMicroversions: Record<string, string> = {};
  for (const [key, value] of settings) {
    const match = /^(.+)_(endpoint_override|endpoint|api_version|default_microversion)$/.exec(key);
    const type = match?.[1] === undefined ? undefined : officialType(match[1].replaceAll('_', '-'));
    if (!match || type === undefined || !OFFICIAL_TYPES.includes(type)) continue;
    if (match[2] === 'endpoint_override' || match[2] === 'endpoint') {
      if (!URL.canParse(value)) {
        throw new StackferryError('config.invalid', `${key} is not a URL: ${value}`, {
          hint: "It replaces the catalog's address of that service, as https://host:port/path.",
        });
      }
      endpointOverrides[type] = value;
    } else if (/^\d+\.\d+$/.test(value) && !/^\d+\.[01]$/.test(value)) {
      // 2.0, 2.1 and 3.0 name the API, as openstackclient's defaults do; they are no wish for its oldest behaviour.
      maxMicroversions[type] = value;
    }
  }
  return { endpointOverrides, maxMicroversions };
}

/** The proxies that the environment names. */
export function proxiesOf(env: Readonly<Record<string, string | undefined>>): CloudConfig['proxy'] {
  const read = (name: string): string | null => {
    const value = env[name.toLowerCase()] ?? env[name];
    if (value === undefined || value === '') return null;
    return /^[a-z]+:\/\//i.test(value) ? value : `http://${value}`;
  };
  const no = env['no_proxy'] ?? env['NO_PROXY'] ?? '';
  const all = read('ALL_PROXY');
  return {
    http: read('HTTP_PROXY') ?? all,
    https: read('HTTPS_PROXY') ?? all,
    no: no
      .split(/[\s,]+/)
      .filter((item) => item !== '')
      .map((item) => item.toLowerCase()),
  };
}
