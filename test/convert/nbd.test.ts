import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { NbdReader } from '../../src/convert/nbd.js';
import { tempFolders } from '../support/temp-folder.js';

const temp = tempFolders();
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

const GREETING = Buffer.from('NBDMAGICIHAVEOPT\0\x03', 'latin1');

function optionReply(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(20);
  head.writeBigUInt64BE(0x3e889045565a9n, 0);
  head.writeUInt32BE(7, 8);
  head.writeUInt32BE(type, 12);
  head.writeUInt32BE(data.length, 16);
  return Buffer.concat([head, data]);
}

const EXPORT = optionReply(3, Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 1]));
const ACK = optionReply(1, Buffer.alloc(0));

/** A server that greets, then answers each piece it gets as told. */
async function serve(
  greeting: Buffer,
  answer: (data: Buffer, socket: Socket, number: number) => void,
): Promise<string> {
  const path = join(await temp(), 's');
  const server = createServer((socket) => {
    let number = 0;
    socket.on('error', () => undefined).on('data', (data) => answer(data, socket, number++));
    socket.write(greeting);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return path;
}

function reply(request: Buffer, errno: number, data: string): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32BE(0x67446698, 0);
  head.writeUInt32BE(errno, 4);
  request.copy(head, 8, 8, 16);
  return Buffer.concat([head, Buffer.from(data)]);
}

describe('NbdReader', () => {
  it('reads, with answers in pieces and in another order', async () => {
    const asked: Buffer[] = [];
    const path = await serve(GREETING, (data, socket, number) => {
      if (number === 0) return void socket.write(Buffer.concat([EXPORT, ACK]));
      for (let at = 0; at < data.length; at += 28) asked.push(data.subarray(at, at + 28));
      const [first, second] = asked;
      if (!first || !second) return;
      const bytes = Buffer.concat([reply(second, 0, 'second'), reply(first, 0, 'first')]);
      socket.write(bytes.subarray(0, 11));
      setTimeout(() => socket.write(bytes.subarray(11)), 20);
    });
    const reader = await NbdReader.connect(path);
    expect(reader.bytes).toBe(4096);
    const answers = await Promise.all([reader.read(0, 5), reader.read(5, 6)]);
    expect(answers.map(String)).toEqual(['first', 'second']);
    reader.close();
  });

  it('fails a read that the server cannot do, or that breaks off, and all after it', async () => {
    const path = await serve(GREETING, (data, socket, number) => {
      if (number === 0) return void socket.write(Buffer.concat([EXPORT, ACK]));
      if (number === 1) return void socket.write(reply(data, 5, ''));
      socket.write(reply(data, 0, 'ab'));
      socket.end();
    });
    const reader = await NbdReader.connect(path);
    await expect(reader.read(0, 4)).rejects.toMatchObject({ code: 'convert.failed', message: /error 5/ });
    await expect(reader.read(0, 4)).rejects.toMatchObject({ code: 'convert.failed' });
    await expect(reader.read(0, 4)).rejects.toMatchObject({ code: 'convert.failed' });
    reader.close();
  });

  it.each([
    ['no NBD server', Buffer.from('HTTP/1.1 400 Bad Request\r\n'), ACK],
    ['an export without a size', GREETING, ACK],
    ['a refusal', GREETING, optionReply(0x80000006, Buffer.from('no such export'))],
    ['a wrong word', GREETING, Buffer.alloc(20)],
    ['an impossible length', GREETING, Buffer.concat([EXPORT.subarray(0, 16), Buffer.alloc(4, 0xff)])],
  ])('refuses %s', async (_, greeting, answer) => {
    const path = await serve(greeting, (__, socket) => void socket.end(answer));
    await expect(NbdReader.connect(path)).rejects.toMatchObject({ code: 'convert.failed' });
  });
});
