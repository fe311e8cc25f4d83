import type { Cloud, Flavor, Keypair, Network, SecurityGroup, Subnet, VolumeType, Zones } from '../openstack/index.js';
import type { MeasuredSample } from './measured/samples.js';
import type { MeasuredTimes } from './measured/store.js';

/** What the choices of a plan are made from: everything the project may use, read once. */
export interface CloudFacts {
  networks: Network[];
  subnets: Subnet[];
  securityGroups: SecurityGroup[];
  volumeTypes: VolumeType[];
  zones: Zones;
  flavors: Flavor[];
  keypairs: Keypair[];
  /** How long images and volumes took here, as runs of this machine have seen it. */
  measured?: MeasuredSample[];
}

/**
 * Key pairs are the user's own and asked for only where one is named: some roles may not list them. What was measured is
 * wanted where image formats are to be chosen.
 */
export async function readCloudFacts(
  cloud: Cloud,
  wanted: { keypairs: boolean; measured?: MeasuredTimes },
): Promise<CloudFacts> {
  const [networks, subnets, securityGroups, volumeTypes, zones, flavors, keypairs, measured] = await Promise.all([
    cloud.networks.list(),
    cloud.networks.subnets(),
    cloud.securityGroups.list(),
    cloud.volumeTypes.list(),
    cloud.zones(),
    cloud.flavors.list(),
    wanted.keypairs ? cloud.keypairs.list() : [],
    wanted.measured?.of({ auth_url: cloud.authUrl, region: cloud.region }) ?? [],
  ]);
  return { networks, subnets, securityGroups, volumeTypes, zones, flavors, keypairs, measured };
}
