/** What the cloud knows: plain data, so that it can be kept in a JSON file. Bytes lie beside it in files. */
import type { Quotas } from './types.js';

export interface Project {
  id: string;
  name: string;
  quotas: Quotas;
}

export interface User {
  id: string;
  name: string;
  password: string;
  default_project_id: string;
  /** Role names by project id. */
  roles: Record<string, string[]>;
}

export interface ApplicationCredential {
  id: string;
  name: string;
  secret: string;
  user_id: string;
  project_id: string;
}

export interface Token {
  value: string;
  user_id: string;
  project_id: string | null;
  methods: string[];
  audit_id: string;
  issued_at: string;
  /** Milliseconds since the epoch; 0 when it was expired by a test. */
  expires: number;
}

export interface Image {
  id: string;
  owner: string;
  name: string | null;
  status: 'queued' | 'saving' | 'active';
  visibility: string;
  protected: boolean;
  os_hidden: boolean;
  disk_format: string | null;
  container_format: string | null;
  min_disk: number;
  min_ram: number;
  size: number | null;
  virtual_size: number | null;
  checksum: string | null;
  os_hash_algo: string | null;
  os_hash_value: string | null;
  tags: string[];
  properties: Record<string, string>;
  created_at: string;
  updated_at: string;
}

export interface VolumeType {
  id: string;
  name: string;
  description: string | null;
}

export interface Volume {
  id: string;
  project_id: string;
  user_id: string;
  name: string | null;
  description: string | null;
  /** GiB. */
  size: number;
  status: string;
  volume_type_id: string;
  availability_zone: string;
  bootable: boolean;
  multiattach: boolean;
  metadata: Record<string, string>;
  /** Cinder's copy of the image's metadata; empty for a blank volume. */
  image_metadata: Record<string, string>;
  source_image_id: string | null;
  created_at: string;
  updated_at: string | null;
}

export interface Attachment {
  id: string;
  volume_id: string;
  project_id: string;
  /** The server, or null when a host attached it itself. */
  instance: string | null;
  status: 'reserved' | 'attaching' | 'attached';
  device: string | null;
  attached_at: string | null;
  connection_info: Record<string, unknown>;
}

export interface Message {
  id: string;
  project_id: string;
  event_id: string;
  user_message: string;
  message_level: string;
  resource_type: string;
  resource_uuid: string;
  request_id: string;
  created_at: string;
  guaranteed_until: string;
}

export interface Flavor {
  id: string;
  name: string;
  vcpus: number;
  /** MiB. */
  ram: number;
  /** GB. */
  disk: number;
  extra_specs: Record<string, string>;
}

export interface Server {
  id: string;
  project_id: string;
  user_id: string;
  name: string;
  hostname: string;
  status: string;
  vm_state: string;
  task_state: string | null;
  /** 1 running, 4 shut down, 0 none. */
  power_state: number;
  flavor_id: string;
  image_id: string | null;
  key_name: string | null;
  config_drive: boolean;
  availability_zone: string;
  metadata: Record<string, string>;
  tags: string[];
  /** In boot order. */
  volumes: {
    volume_id: string;
    attachment_id: string;
    device: string;
    boot_index: number | null;
    delete_on_termination: boolean;
  }[];
  /** In NIC order. */
  ports: { port_id: string; ours: boolean }[];
  security_groups: string[];
  fault: { code: number; message: string; created: string } | null;
  /** Milliseconds since the epoch of the last start, or null when it never ran. */
  started: number | null;
  created: string;
  updated: string;
  launched_at: string | null;
}

export interface Keypair {
  name: string;
  user_id: string;
  public_key: string;
  fingerprint: string;
  created_at: string;
}

export interface Network {
  id: string;
  name: string;
  project_id: string;
  shared: boolean;
  external: boolean;
  is_default: boolean;
  mtu: number;
  port_security_enabled: boolean;
  created_at: string;
}

export interface Subnet {
  id: string;
  name: string;
  network_id: string;
  project_id: string;
  ip_version: 4 | 6;
  cidr: string;
  gateway_ip: string | null;
  allocation_pools: { start: string; end: string }[];
  ipv6_mode: string | null;
  enable_dhcp: boolean;
  created_at: string;
}

export interface Port {
  id: string;
  name: string;
  description: string;
  network_id: string;
  project_id: string;
  mac_address: string;
  fixed_ips: { subnet_id: string; ip_address: string }[];
  security_groups: string[];
  allowed_address_pairs: { ip_address: string; mac_address: string }[];
  tags: string[];
  device_id: string;
  device_owner: string;
  status: 'DOWN' | 'ACTIVE' | 'BUILD';
  admin_state_up: boolean;
  port_security_enabled: boolean;
  binding_host: string;
  created_at: string;
  updated_at: string;
  revision: number;
}

export interface SecurityGroupRule {
  id: string;
  direction: 'ingress' | 'egress';
  ethertype: 'IPv4' | 'IPv6';
  protocol: string | null;
  port_range_min: number | null;
  port_range_max: number | null;
  remote_ip_prefix: string | null;
  remote_group_id: string | null;
  description: string;
  created_at: string;
}

export interface SecurityGroup {
  id: string;
  name: string;
  description: string;
  project_id: string;
  rules: SecurityGroupRule[];
  created_at: string;
}

export interface CloudState {
  version: 1;
  projects: Project[];
  users: User[];
  applicationCredentials: ApplicationCredential[];
  tokens: Token[];
  images: Image[];
  volumeTypes: VolumeType[];
  volumes: Volume[];
  attachments: Attachment[];
  messages: Message[];
  flavors: Flavor[];
  servers: Server[];
  keypairs: Keypair[];
  networks: Network[];
  subnets: Subnet[];
  ports: Port[];
  securityGroups: SecurityGroup[];
  computeZones: string[];
  volumeZones: string[];
}
