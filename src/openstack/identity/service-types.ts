/** The services that a migration needs, by their official types. */
export type ServiceType = 'identity' | 'image' | 'block-storage' | 'compute' | 'network';

export const OFFICIAL_TYPES: readonly ServiceType[] = ['identity', 'image', 'block-storage', 'compute', 'network'];

/** Names that catalogs use for them, the best first. Source: OpenStack Service Types Authority. */
const ALIASES: Record<ServiceType, readonly string[]> = {
  identity: ['identity'],
  image: ['image'],
  'block-storage': ['block-storage', 'volumev3', 'block-store', 'volume', 'volumev2'],
  compute: ['compute'],
  network: ['network'],
};

export function aliasesOf(type: ServiceType): readonly string[] {
  return ALIASES[type];
}

/** The official type for a type or alias; undefined for services that are none of ours. */
export function officialType(name: string): ServiceType | undefined {
  return OFFICIAL_TYPES.find((type) => ALIASES[type].includes(name));
}
