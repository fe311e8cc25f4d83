/** Tar archives put together block by block, so that each field can be spoilt. */
export interface TarMember {
  name: string;
  content?: Buffer | string;
  type?: string;
  link?: string;
  /** In place of the content's length. */
  size?: number;
  base256?: boolean;
  prefix?: string;
  /** Changes the header after all but its sum is in it. */
  spoil?: (header: Buffer) => void;
  wrongSum?: boolean;
  magic?: string;
}

export function tarHeader(member: TarMember): Buffer {
  const header = Buffer.alloc(512);
  const bytes = member.size ?? Buffer.byteLength(member.content ?? '');
  header.write(member.name, 0, 100);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  if (member.base256 === true) {
    header.writeBigUInt64BE(BigInt(bytes), 128);
    header[124] = 128;
  } else {
    header.write(`${bytes.toString(8).padStart(11, '0')}\0`, 124);
  }
  header.write('00000000000\0', 136);
  header.write(member.type ?? '0', 156);
  header.write(member.link ?? '', 157);
  header.write(member.magic ?? 'ustar\x0000', 257, 'latin1');
  header.write(member.prefix ?? '', 345);
  member.spoil?.(header);
  header.fill(' ', 148, 156);
  const sum = header.reduce((all, byte) => all + byte, member.wrongSum === true ? 1 : 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

export function tarMember(member: TarMember): Buffer {
  const content = Buffer.from(member.content ?? '');
  return Buffer.concat([tarHeader(member), content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

export function tar(members: readonly TarMember[], end = 1024): Buffer {
  return Buffer.concat([...members.map(tarMember), Buffer.alloc(end)]);
}

/** A record of a pax header: its length counts itself. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest) + 1;
  while (String(length).length + Buffer.byteLength(rest) !== length) length += 1;
  return `${length}${rest}`;
}
