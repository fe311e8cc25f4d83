export { openShell } from './pool.js';
export { command, path, quote, raw, sh, type ShellValue } from './quoting.js';
export type { CommandResult, RemoteShell, RunOptions, RunningCommand, StreamOptions } from './shell.js';
export type { LoginMethod, SshFacts, SshShell, SshTarget } from './target.js';
