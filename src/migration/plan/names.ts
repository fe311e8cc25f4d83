/**
 * Names for the cloud, made from a VM's. Nova and Cinder store up to 255 characters; services whose database speaks
 * only three-byte UTF-8 answer 500 to characters beyond U+FFFF, and Nova refuses names that begin or end in a blank or
 * hold what is not printable (its `parameter_types.name`: Unicode's categories C, without a glyph, and Zl, Zp).
 * The VM's own name is kept in the server's metadata.
 */
export function cloudName(name: string, suffix = ''): string {
  const clean = Array.from(name.normalize('NFC'))
    .map((character) => {
      const point = character.codePointAt(0) ?? 0;
      if (point > 0xffff) return '_';
      if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(character)) return ' ';
      // Marks of direction, joiners and the like are not seen; unassigned and private characters show as a box.
      if (/\p{Cf}/u.test(character)) return '';
      return /\p{C}/u.test(character) ? '_' : character;
    })
    .join('')
    .replace(/\s+/gu, ' ')
    .trim();
  return `${(clean === '' ? 'vm' : clean).slice(0, 255 - suffix.length).trim()}${suffix}`;
}

/**
 * A host name for the server's metadata, or null where the VM's name gives none: a label of RFC 1123, and of at least
 * two characters, because Nova takes no shorter one (its `parameter_types.hostname`: 2 to 63 letters, digits and
 * dashes, none of these at an end). Without one Nova makes one of the server's name.
 */
export function hostnameOf(name: string): string | null {
  const label = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/-{2,}/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63)
    .replace(/-+$/, '');
  return label.length < 2 || /^\d+$/.test(label) ? null : label;
}

/** A metadata value: at most 255 characters, none beyond U+FFFF (see {@link cloudName}). */
export function metadataValue(text: string): string {
  return cloudName(text === '' ? '-' : text);
}
