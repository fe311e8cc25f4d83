import { z } from 'zod';

/** What a bare disk does not say of its VM. */
const bareHardware = z.object({
  /** Null: said by the flavor. */
  cpus: z.number().nullable(),
  memory_mib: z.number().nullable(),
  firmware: z.enum(['bios', 'efi']),
  /** vSphere's word: `ubuntu64Guest`. */
  guest_id: z.string().nullable(),
  nics: z.number(),
});
export type BareHardware = z.infer<typeof bareHardware>;

/** Where the files of an import lie, as the journal keeps it. */
export const packageAddress = z.object({
  /** Absolute paths, URLs without their query (which may hold a secret), or `-` for stdin. */
  given: z.array(z.string()),
  /** A disk of which nothing else is known is a raw one. */
  raw: z.boolean(),
  /** Further authorities for URLs: absolute path of a PEM file. */
  cacert: z.string().nullable(),
  /** Null where an OVF or .vmx describes the VM. */
  hardware: bareHardware.nullable(),
});
export type PackageAddress = z.infer<typeof packageAddress>;

export const STDIN = '-';

export function isUrl(given: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(given);
}

/** What a URL is called where it is kept or shown: without its query, which may hold a secret. */
export function withoutQuery(given: string): string {
  return isUrl(given) ? given.replace(/[?#].*$/s, '') : given;
}

/** The name under which runs know the package: what a host's name is for others. */
export function packageName({ given }: Pick<PackageAddress, 'given'>): string {
  return given.map((one) => (one === STDIN ? 'stdin' : withoutQuery(one))).join(' ');
}
