import { memberName } from './confined.js';
import { packageError } from './faults.js';

export type ManifestDigest = 'sha1' | 'sha256' | 'sha512';

const MAX_MANIFEST_BYTES = 1024 ** 2;
const HEX: Readonly<Record<ManifestDigest, number>> = { sha1: 40, sha256: 64, sha512: 128 };
/** `SHA1(NAME)= HEX` (ovftool, OpenSSL 1), `SHA2-256(NAME)= HEX` (OpenSSL 3), `SHA256 (NAME) = HEX` (BSD, VirtualBox). */
const LINE = /^(SHA-?1|SHA2?-?256|SHA2?-?512)\s*\((.+)\)\s*=\s*([0-9a-fA-F]+)$/i;

/** The digests of a package's files, by their names. */
export type Manifest = ReadonlyMap<string, { digest: ManifestDigest; hex: string }>;

/**
 * Reads a manifest (DSP0243, 5.1). Throws `package.bad_manifest` for lines of another form, digests of a wrong length
 * and names that stand twice, `package.unsafe_path` for names that lead out of the package.
 */
export function parseManifest(bytes: Buffer, name: string): Manifest {
  const bad = (line: number, why: string) =>
    packageError('package.bad_manifest', name, `cannot be read: line ${line} ${why}`);
  if (bytes.byteLength > MAX_MANIFEST_BYTES) throw bad(1, `belongs to ${bytes.byteLength} bytes, which is too much`);
  const entries = new Map<string, { digest: ManifestDigest; hex: string }>();
  for (const [index, raw] of bytes
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const line = raw.trim();
    if (line === '') continue;
    const match = LINE.exec(line);
    if (!match) throw bad(index + 1, 'is no digest of a file (SHA-1, SHA-256 or SHA-512)');
    const [, algorithm = '', told = '', hex = ''] = match;
    const digest = `sha${/(1|256|512)$/.exec(algorithm)?.[1] ?? ''}` as ManifestDigest;
    if (hex.length !== HEX[digest]) throw bad(index + 1, `holds a digest of ${hex.length * 4} bits`);
    const file = memberName(told, name);
    if (entries.has(file)) throw bad(index + 1, `names ${JSON.stringify(file)} again`);
    entries.set(file, { digest, hex: hex.toLowerCase() });
  }
  if (entries.size === 0) throw bad(1, 'is missing: it names no file');
  return entries;
}

/** Throws `package.manifest_differs` where a file's digest is another than the manifest says. */
export function assertDigest(manifest: Manifest, manifestName: string, file: string, hex: string): void {
  const entry = manifest.get(file);
  if (!entry || entry.hex === hex) return;
  throw packageError(
    'package.manifest_differs',
    file,
    `is not what ${manifestName} says: its ${entry.digest.toUpperCase()} is ${hex}, not ${entry.hex}`,
    'The file was changed or damaged after the export: copy it again. If you changed it yourself, remove the manifest.',
  );
}

/** Throws `package.bad_manifest` unless the manifest names each of the files. */
export function assertNamed(manifest: Manifest, manifestName: string, files: readonly string[]): void {
  const missing = files.find((file) => !manifest.has(file));
  if (missing === undefined) return;
  throw packageError('package.bad_manifest', manifestName, `does not name the file ${JSON.stringify(missing)}`);
}
