import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { z } from 'zod';
import { StackferryError, throwIfAborted, type Context } from '../../core/index.js';

/** What the helper program is asked; see os-brick.py. */
export type BrickRequest =
  | { op: 'connector'; ip: string }
  | ({ op: 'connect' } & BrickConnection)
  | ({ op: 'disconnect'; device: Record<string, unknown> | null } & BrickConnection);

interface BrickConnection {
  /** Cinder's `connection_info`, as it came. */
  connection: Record<string, unknown>;
  multipath: boolean;
  /** A folder of this attachment alone. */
  mounts: string;
}

const connectorAnswer = z.object({ connector: z.record(z.string(), z.unknown()), version: z.string() });
const connectAnswer = z.object({ path: z.string(), device: z.record(z.string(), z.unknown()) });
const failure = z.object({ error: z.enum(['no_os_brick', 'failed']), message: z.string() });

const HELPER = fileURLToPath(new URL('os-brick.py', import.meta.url));
/** A login to a storage array with many paths takes its time; it does not take for ever. */
const LIMIT_MS = 300_000;

/** os-brick, run as a program of its own. */
export class Brick {
  readonly #ctx: Context;
  readonly #pythons: readonly string[];
  #found: string | null = null;

  /** @param pythons tried in order: the system's own has the distribution's packages, another one may come first in PATH */
  constructor(ctx: Context, pythons: readonly string[] = ['/usr/bin/python3', 'python3']) {
    this.#ctx = ctx;
    this.#pythons = pythons;
  }

  withContext(ctx: Context): Brick {
    return new Brick(ctx, this.#found === null ? this.#pythons : [this.#found]);
  }

  /** What os-brick says of this machine. Throws `converter.no_os_brick`. */
  async connector(ip: string): Promise<z.infer<typeof connectorAnswer>> {
    return this.#run({ op: 'connector', ip }, connectorAnswer);
  }

  /** Connects a volume; the path at which it is now. Throws `cloud.attach_failed`. */
  async connect(request: BrickConnection): Promise<z.infer<typeof connectAnswer>> {
    return this.#run({ op: 'connect', ...request }, connectAnswer);
  }

  /** @param device what `connect` answered; null where a program that was killed took it along */
  async disconnect(request: BrickConnection & { device: Record<string, unknown> | null }): Promise<void> {
    await this.#run({ op: 'disconnect', ...request }, z.object({}));
  }

  async #run<T>(request: BrickRequest, schema: z.ZodType<T>): Promise<T> {
    if (process.getuid?.() !== 0) throw notRoot();
    let missing = 'there is no python3';
    for (const python of this.#found === null ? this.#pythons : [this.#found]) {
      if (python.startsWith('/') && !(await isThere(python))) continue;
      const answer = await this.#ask(python, request);
      if (answer === null) continue;
      const failed = failure.safeParse(answer).data;
      if (failed?.error === 'no_os_brick') {
        missing = failed.message;
        continue;
      }
      this.#found = python;
      if (failed) throw new StackferryError('cloud.attach_failed', `os-brick: ${failed.message}`);
      return schema.parse(answer);
    }
    throw new StackferryError('converter.no_os_brick', `os-brick is not on this machine: ${missing}.`, {
      hint: 'Install it (Debian, Ubuntu: apt install python3-os-brick, and open-iscsi, nfs-common or ceph-common for the backend), or let the bytes go through an image: --via glance',
    });
  }

  /** The answer; null where there is no such program. */
  async #ask(python: string, request: BrickRequest): Promise<unknown> {
    throwIfAborted(this.#ctx.signal);
    const start = this.#ctx.clock.now();
    const result = await execa(python, ['-B', HELPER], {
      // The connection may hold passwords: it goes by stdin, and nothing of it is logged.
      input: JSON.stringify(request),
      env: { LC_ALL: 'C.UTF-8' },
      // A Ctrl-C at the terminal is this program's to take: it must not end a helper that tidies up.
      detached: true,
      cancelSignal: this.#ctx.signal,
      timeout: LIMIT_MS,
      forceKillAfterDelay: 10_000,
      reject: false,
    });
    this.#ctx.log.debug(`os-brick: ${request.op}`, { python, ms: this.#ctx.clock.now() - start });
    if (result.code === 'ENOENT') return null;
    throwIfAborted(this.#ctx.signal);
    if (result.timedOut) {
      throw new StackferryError('cloud.attach_timeout', `os-brick did not end within ${LIMIT_MS / 1000} s.`, {
        hint: 'Does this machine reach the storage network of the cloud? Otherwise: --via glance',
      });
    }
    try {
      return JSON.parse(result.stdout) as unknown;
    } catch {
      const said = result.stderr.trim().split('\n').at(-1) ?? '';
      throw new StackferryError(
        'cloud.attach_failed',
        `os-brick ended with ${result.exitCode ?? 'a signal'}: ${said}`,
        {
          hint: 'Run with --verbose; or let the bytes go through an image: --via glance',
        },
      );
    }
  }
}

export function notRoot(): StackferryError {
  return new StackferryError('converter.not_root', 'Attaching a volume to this machine and writing to it needs root.', {
    hint: 'Become root (with sudo -E for the environment), or let the bytes go through an image: --via glance',
  });
}

function isThere(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
