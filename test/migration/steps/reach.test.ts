import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { acceptsTcp } from '../../../src/migration/steps/reach.js';

let server: Server | undefined;
const sockets = new Set<Socket>();

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server?.close();
});

function serve(onSocket: (socket: Socket) => void): Promise<number> {
  return new Promise((resolve) => {
    const made = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined));
      onSocket(socket);
    });
    server = made;
    made.listen(0, '127.0.0.1', () => resolve((made.address() as AddressInfo).port));
  });
}

describe('a port', () => {
  it.each<[string, (socket: Socket) => void, boolean]>([
    ['waits for us', () => undefined, true],
    ['speaks and hangs up', (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'), true],
    ['hangs up unspoken, as a proxy with nobody behind it', (socket) => socket.end(), false],
    ['resets', (socket) => socket.resetAndDestroy(), false],
  ])('that %s', async (_, onSocket, expected) => {
    expect(await acceptsTcp('127.0.0.1', await serve(onSocket))).toBe(expected);
  });

  it('where nobody listens', async () => {
    const port = await serve(() => undefined);
    await new Promise((resolve) => server?.close(resolve));
    expect(await acceptsTcp('127.0.0.1', port)).toBe(false);
  });
});
