export { connectCloud, type Cloud, type CloudService, type ConnectOptions } from './cloud.js';
export { proxiesOf } from './config/resolve.js';
export { proxyOf } from './no-proxy.js';
export { loadCloudConfig, type LoadCloudConfig } from './config/load.js';
export type { AuthMethod, CloudConfig, DomainRef, ProjectRef, Scope } from './config/types.js';
export type { ContentRun, CreateImage, DigestName, Image, Images, UploadContent, Uploaded } from './image/images.js';
export { compareImageHash, type HashVerdict } from './image/hash.js';
export type { VolumeType, VolumeTypes } from './block-storage/types.js';
export { ATTACHMENTS_SINCE, type Attachment, type Attachments } from './block-storage/attachments.js';
export type { CreateVolume, Volume, Volumes } from './block-storage/volumes.js';
export type { CreateFlavor, Flavor, Flavors } from './compute/flavors.js';
export type { Keypair, Keypairs } from './compute/keypairs.js';
export type {
  CreateServer,
  Server,
  ServerDisk,
  ServerInterface,
  Servers,
  VolumeAttachment,
} from './compute/servers.js';
export type { Network, Networks, Subnet } from './network/networks.js';
export type { CreatePort, FixedIp, Port, PortFilter, Ports } from './network/ports.js';
export type { SecurityGroup, SecurityGroups } from './network/security-groups.js';
export { left, type Limit, type Limits, type Zone, type Zones } from './limits.js';
export {
  chooseFlavor,
  flavorObjections,
  type FlavorChoice,
  type FlavorNeed,
  type FlavorObjection,
  type RejectedFlavor,
} from './flavors.js';
export { imageProperties, type GuestHardware, type ImageDescription } from './image-properties.js';
export type { Marker, MarkerFilter } from './markers.js';
export type { Wait } from './wait.js';
export type { ChangingRequest } from './session.js';
export { guestOs, type GuestOs } from './guest-os.js';
export { parseScsName, volumeTypeAspects, type ScsName } from './scs-names.js';
