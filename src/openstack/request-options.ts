import type { ServiceType } from './identity/service-types.js';

/**
 * Which options a request was made of: what a person changes when a service does not accept it. Fields are the API's
 * own, as they stand in its refusals: "Invalid input for field/attribute key_name", "Invalid input for mac_address".
 */
const FIELDS: Readonly<Partial<Record<string, readonly (readonly [field: RegExp, option: string])[]>>> = {
  compute: [
    [/\bkey_?name\b|key ?pair/i, '--key-name'],
    [/\bflavor(?:Ref)?\b/i, '--flavor'],
    [/\bavailability[_ ]zone\b/i, '--zone'],
    [/\bsecurity[_ ]groups?\b/i, '--security-group'],
    [/\bnetworks?\b|\bport\b/i, '--network or --nic'],
    [/\bconfig_drive\b/i, '--config-drive'],
    [/\b(?:host)?name\b/i, '--name'],
  ],
  'block-storage': [
    [/\bvolume[_ ]type\b/i, '--volume-type'],
    [/\bavailability[_ ]zone\b/i, '--volume-zone'],
    [/\bsize\b/i, '--size'],
    [/\bname\b/i, '--name'],
  ],
  network: [
    [/\bmac(?:_address)?\b/i, '--nic LABEL=NETWORK,mac=MAC or --no-keep-mac'],
    [/\bsecurity[_ ]groups?\b/i, '--security-group'],
    [/\bfixed_ips?\b|\bip_address\b|\bIP address\b|\bsubnet\b/i, '--nic LABEL=NETWORK,ip=ADDRESS'],
    [/\bnetwork(?:_id)?\b/i, '--network or --nic'],
    [/\bname\b/i, '--name'],
  ],
  image: [
    [/\b(?:disk|container)_format\b/i, '--image-format or --disk-format'],
    [/\bname\b/i, '--name'],
    [/\bpropert(?:y|ies)\b|\b(?:hw|os)_\w+/i, '--property'],
  ],
};

/** All options that go into what is made; by the collection that is posted to. */
const MADE_OF: readonly (readonly [path: RegExp, service: ServiceType, options: string])[] = [
  [/\/servers$/, 'compute', '--name, --flavor, --zone, --key-name and --config-drive'],
  [/\/volumes$/, 'block-storage', '--name, --volume-type, --volume-zone and --size'],
  [/\/ports$/, 'network', '--network, --nic, --security-group and --keep-ip'],
  [/\/images$/, 'image', '--name, --image-format, --disk-format and --property'],
];

/** What to do about a request that the service does not accept (400). */
export function badRequestHint(request: { service: string; method: string; path: string }, said: string): string {
  const made = MADE_OF.find(([path, service]) => service === request.service && path.test(request.path));
  if (request.method !== 'POST' || !made) {
    return 'The service says what it does not accept; --verbose shows the requests that led there.';
  }
  const named = FIELDS[request.service]?.find(([field]) => field.test(said))?.[1];
  return named === undefined
    ? `The service says what it does not accept; what it was asked for comes from ${made[2]}, or from the plan.`
    : `That value comes from ${named}, or from the plan: give another.`;
}
