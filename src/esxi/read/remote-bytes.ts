import type { ByteSource } from '../../disk/index.js';
import { quote, type RemoteShell } from '../ssh/index.js';
import { fileRead, type RemoteFile } from './file-read.js';
import { readFailed, readRefused } from '../read-error.js';

/** Single reads of a file on the host: for headers and tables, of which a few are looked at. */
export function remoteBytes(shell: RemoteShell, file: RemoteFile): ByteSource {
  return {
    name: file.path,
    bytes: file.bytes,
    async read(position, length) {
      if (length === 0) return Buffer.alloc(0);
      const { blockBytes, skip, count, head, total } = fileRead(0, file, position, length);
      const { exitCode, stdout, stderr } = await shell.run(
        `dd if=${quote(file.path)} bs=${blockBytes} skip=${skip} count=${count}`,
      );
      if (exitCode !== 0) throw readRefused(file.path, stderr);
      if (stdout.length !== total) {
        throw readFailed(file.path, `the host sent ${stdout.length} of ${total} bytes (was the file cut short?)`);
      }
      return stdout.subarray(head, head + length);
    },
  };
}
