import type { Cloud, Flavor, Keypair, Network, SecurityGroup, Subnet, VolumeType, Zones } from '../openstack/index.js';

/** What the choices of a plan are made from: everything the project may use, read once. */
export interface CloudFacts {
  networks: Network[];
  subnets: Subnet[];
  securityGroups: SecurityGroup[];
  volumeTypes: VolumeType[];
  zones: Zones;
  flavors: Flavor[];
  keypairs: Keypair[];
}

/** Key pairs are the user's own and asked for only where one is named: some roles may not list them. */
export async function readCloudFacts(cloud: Cloud, wanted: { keypairs: boolean }): Promise<CloudFacts> {
  const [networks, subnets, securityGroups, volumeTypes, zones, flavors, keypairs] = await Promise.all([
    cloud.networks.list(),
    cloud.networks.subnets(),
    cloud.securityGroups.list(),
    cloud.volumeTypes.list(),
    cloud.zones(),
    cloud.flavors.list(),
    wanted.keypairs ? cloud.keypairs.list() : [],
  ]);
  return { networks, subnets, securityGroups, volumeTypes, zones, flavors, keypairs };
}
