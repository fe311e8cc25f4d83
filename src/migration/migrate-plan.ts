import { InterruptedError, StackferryError, UsageError, messageOf } from '../core/index.js';
import { selectVms } from '../esxi/index.js';
import { assertSameCloud } from './diff-plan.js';
import { assertAcceptable } from './findings/accept.js';
import { migrate, type MigrateRequest, type SourceAddress } from './migrate.js';
import type { PlanDocument, PlannedVm } from './plan/document/index.js';
import type { RunResult, VmResult } from './result.js';
import { RunFailure, type SessionBase } from './session.js';

export interface MigratePlanRequest {
  plan: PlanDocument;
  address: SourceAddress;
  /** Selectors of `--vm`: only these VMs of the plan; all where it is empty. */
  only: readonly string[];
  /** `CODE` or `CODE:SUBJECT`, beside those of the plan. */
  accept: readonly string[];
  confirm: boolean;
  again: boolean;
  outputDir?: string;
}

/** How one VM of a plan ended. */
export interface PlanEnd {
  planned: { vm: Pick<PlannedVm['vm'], 'id' | 'name'> };
  /** Null where no run was begun. */
  result: RunResult | null;
  error: unknown;
}

/**
 * The VMs of a plan that are meant, each as a request of its own.
 * @throws UsageError where the plan or `accept` holds what no finding is called.
 */
export function requestsOf(request: MigratePlanRequest): { planned: PlannedVm; one: MigrateRequest }[] {
  const { plan, only } = request;
  assertAcceptable(plan.accept, 'accept in the plan:');
  assertAcceptable(request.accept);
  const known = plan.vms.map((planned) => ({ ...planned.vm, planned }));
  const chosen = only.length === 0 ? known : selectVms({ vms: known }, only);
  const limited = chosen.flatMap(({ planned }) => planned.vm.disks);
  return chosen.map(({ planned }) => ({
    planned,
    one: {
      source: {
        selector: `id:${planned.vm.id}`,
        address: request.address,
        limited,
        ...(planned.skip_disks.length === 0 ? {} : { skipDisks: planned.skip_disks }),
        ...(request.outputDir === undefined ? {} : { outputDir: request.outputDir }),
      },
      options: {},
      planned,
      accept: [...plan.accept, ...request.accept],
      confirm: request.confirm,
      again: request.again,
    },
  }));
}

/**
 * Migrates the VMs of a plan in its order, one after another. One that fails does not stop the others; an interrupt
 * stops all. A VM that is done already is not done again.
 */
export async function migratePlan(base: SessionBase, request: MigratePlanRequest): Promise<PlanEnd[]> {
  const all = requestsOf(request);
  assertSameCloud(request.plan, await base.doors.cloud(base.ctx));
  if (all.length > 1 && request.outputDir !== undefined) {
    throw new UsageError(
      '--output is one folder, and several VMs would be staged there.',
      'Leave it out, or use --vm.',
    );
  }
  return migrateEach(base, all);
}

/** Migrates VMs one after another; of one alone the error comes as it is. */
export async function migrateEach(
  base: SessionBase,
  all: readonly { planned: PlanEnd['planned']; one: MigrateRequest }[],
): Promise<PlanEnd[]> {
  const ends: PlanEnd[] = [];
  for (const { planned, one } of all) {
    try {
      ends.push({ planned, result: await migrate(base, one), error: null });
    } catch (error) {
      const cause = error instanceof RunFailure ? error.cause : error;
      if (all.length === 1 || cause instanceof InterruptedError) throw error;
      if (!(cause instanceof StackferryError)) throw error;
      ends.push({ planned, result: error instanceof RunFailure ? error.result : null, error: cause });
      base.ctx.events.emit({
        kind: 'warning',
        code: cause.code,
        message: `${planned.vm.name}: ${messageOf(cause)}`,
        ...(cause.hint === undefined ? {} : { hint: cause.hint }),
      });
    }
  }
  return ends;
}

/** The result of several VMs: the contract of `migrate -f json`, with each VM's own run beside it. */
export interface PlanResult {
  /** The run of the only VM; null where several VMs have a run each. */
  run: string | null;
  state: 'done' | 'failed' | 'stopped';
  /** `run` is there only where several VMs have one each. */
  vms: (VmResult & { run?: string | null })[];
}

export function planResult(ends: readonly PlanEnd[]): PlanResult {
  const vms = ends.map(({ planned, result, error }): PlanResult['vms'][number] => {
    const [made] = result?.vms ?? [];
    const several = ends.length > 1;
    if (made) return { ...(several ? { run: result?.run ?? null } : {}), ...made };
    const told = error instanceof StackferryError ? error : undefined;
    return {
      ...(several ? { run: null } : {}),
      vm: planned.vm.name,
      id: planned.vm.id,
      state: 'failed',
      server_id: null,
      image_ids: [],
      volumes: [],
      ports: [],
      boot: null,
      proof: [],
      warnings: [],
      error: told ? { code: told.code, message: told.message, hint: told.hint ?? null } : null,
    };
  });
  const failed = ends.some(({ error }) => error !== null);
  const [only, ...more] = ends;
  return { run: more.length === 0 ? (only?.result?.run ?? null) : null, state: failed ? 'failed' : 'done', vms };
}
