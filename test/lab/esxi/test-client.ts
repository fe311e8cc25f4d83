import ssh2, { type Client, type ConnectConfig } from 'ssh2';

import type { EmbeddedHost } from './host.js';

export interface ExecResult {
  code: number | null | undefined;
  stdout: Buffer;
  stderr: string;
}

/** Logs in with the host's own password unless told otherwise. Rejects with the client's error. */
export async function connect(host: EmbeddedHost, options: ConnectConfig & { answer?: string } = {}): Promise<Client> {
  const client = new ssh2.Client();
  const { answer, ...config } = options;
  await new Promise<void>((resolve, reject) => {
    client
      .on('ready', resolve)
      .on('error', reject)
      .on('close', () => reject(new Error('closed before the login')))
      .on('keyboard-interactive', (_name, _text, _language, prompts, finish) =>
        finish(prompts.map(() => answer ?? host.password)),
      )
      .connect({
        host: host.host,
        port: host.port,
        username: host.user,
        tryKeyboard: config.privateKey === undefined,
        ...config,
      });
  });
  client.on('error', () => undefined);
  return client;
}

/** Runs a command; `code` is undefined when the channel closed without a word. */
export function exec(client: Client, command: string, input?: string): Promise<ExecResult> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error !== undefined) {
        reject(error);
        return;
      }
      const stdout: Buffer[] = [];
      let stderr = '';
      let code: number | null | undefined;
      channel.on('data', (chunk: Buffer) => stdout.push(chunk));
      channel.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
      channel.on('exit', (status: number | null) => (code = status));
      channel.on('close', () => resolve({ code, stdout: Buffer.concat(stdout), stderr }));
      channel.end(input);
    });
  });
}

/** A command's output as text. */
export async function said(client: Client, command: string): Promise<string> {
  return (await exec(client, command)).stdout.toString();
}
