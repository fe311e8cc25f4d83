import { UsageError } from '../core/index.js';
import { SNAPSHOT_TIMEOUT_MS } from '../esxi/clone/names.js';
import type { Column, Format } from '../ui/index.js';
import type { GlobalOptions } from './options/global.js';
import { sourceTarget, type SourceOptions } from './options/source.js';
import type { Tools } from './tools.js';

interface CleanupOptions extends SourceOptions, GlobalOptions {
  format: Format;
  dryRun: boolean;
  run?: string[] | undefined;
  timeoutSnapshot?: number | undefined;
}

interface Row {
  kind: string;
  name: string;
  run: string;
  vm: string | null;
  owner: string;
  removed: boolean | null;
  error: string | null;
}

const columns: Column<Row>[] = [
  { name: 'kind', value: (row) => row.kind },
  { name: 'name', value: (row) => row.name },
  { name: 'vm', value: (row) => row.vm },
  { name: 'run', value: (row) => row.run },
  { name: 'owner', value: (row) => row.owner.replace('_', ' ') },
  { name: 'removed', value: (row) => (row.removed === null ? null : row.removed ? 'yes' : 'no') },
];

/** `doctor --cleanup`: what copies of running VMs left on the host is shown and, where it is ours, removed. */
export async function cleanup(tools: Tools, options: CleanupOptions): Promise<void> {
  sourceTarget(tools.app, options);
  const { terminal, ctx, store, app } = tools;
  const strange = options.run?.find((run) => !/^r[0-9a-z]{7}$/.test(run));
  if (strange !== undefined)
    throw new UsageError(`"${strange}" is no run id.`, 'Take it from the list: --cleanup --dry-run');
  const [{ lookForLeftovers, removeLeftovers }, { render }] = await Promise.all([
    import('../migration/leftovers.js'),
    import('../ui/index.js'),
  ]);
  const host = await tools.host(options);
  const found = await lookForLeftovers(host, store, ctx, options.run ?? []);
  const ours = found.filter(({ owner }) => owner === 'ours');
  if (ours.length > 0 && !options.dryRun && (await agreed(tools, options, ours))) {
    const timeoutMs = options.timeoutSnapshot === undefined ? SNAPSHOT_TIMEOUT_MS : options.timeoutSnapshot * 1000;
    await removeLeftovers(host, store, ctx, found, timeoutMs);
  }
  const rows = found.map(({ kind, name, vm, run, owner, removed, error }): Row => ({
    kind,
    name,
    vm,
    run,
    owner,
    removed,
    error,
  }));
  const failed = rows.filter(({ removed }) => removed === false);
  const whole = { leftovers: rows, ok: failed.length === 0 };
  terminal.out(await render(options.format, whole, columns, rows, terminal.tableWidth));
  if (options.format === 'table') {
    for (const { name, error } of failed) terminal.err(`${name}: ${error ?? ''}\n`);
    for (const run of new Set(found.filter(({ owner }) => owner === 'unknown').map((row) => row.run))) {
      terminal.err(
        `This machine does not know run ${run}; another one may be at it. If it is dead: stackferry doctor --cleanup --run ${run}\n`,
      );
    }
    if (rows.length === 0) terminal.err('Nothing of stackferry is left on the host.\n');
    else if (!rows.some(({ removed }) => removed !== null)) terminal.err('Nothing was changed.\n');
  }
  if (failed.length > 0) app.exitCode(1);
}

async function agreed({ ctx }: Tools, { yes }: CleanupOptions, ours: readonly Row[]): Promise<boolean> {
  if (yes) return true;
  return ctx.events.ask({
    type: 'confirm',
    code: 'doctor.cleanup',
    message: `Remove ${ours.map(({ kind, name }) => `${kind} ${name}`).join(', ')} from the host?`,
    default: false,
    option: '--yes',
  });
}
