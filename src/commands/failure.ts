import { InterruptedError, StackferryError, isCode, redactText } from '../core/index.js';
import type { VmResult } from '../migration/result.js';
import type { RunFailure } from '../migration/session.js';
import { renderError, renderJson, renderYaml, type Terminal } from '../ui/index.js';
import type { CalledCommand } from './called.js';

/**
 * Prints a failure: for a person what went wrong and what to do next, on stderr; for a program (`-f json|yaml`) an
 * object of the command's own shape with the error in it, on stdout. Returns the error that decides the exit code.
 */
export async function reportFailure(terminal: Terminal, error: unknown, called: CalledCommand): Promise<unknown> {
  const { RunFailure } = await import('../migration/session.js');
  const failure = error instanceof RunFailure ? error : null;
  const cause = failure ? failure.cause : error;
  terminal.err(renderError(terminal, cause));
  if (failure) terminal.err(`       ${nextSteps(failure, cause, called).join('   ')}\n`);
  if (called.format === 'json') terminal.out(renderJson(failedResult(cause, failure, called)));
  if (called.format === 'yaml') terminal.out(await renderYaml(failedResult(cause, failure, called)));
  return cause;
}

/** What can be done about a run that goes on existing. What would not help is not named. */
function nextSteps(failure: RunFailure, cause: unknown, called: CalledCommand): string[] {
  const { run } = failure.result;
  const see = `See: stackferry status ${run}`;
  const exitCode = cause instanceof StackferryError ? cause.exitCode : 1;
  // The hint has said how to put the command right, and the run is what it was.
  if (exitCode === 2 || isCode(cause, 'declined') || called.name === 'rollback') return [see];
  const same = called.again
    ? `the same command with --resume --run ${run} instead of --again`
    : 'the same command again';
  return [see, `${exitCode === 3 ? 'Then' : 'Go on'}: ${same}`, ...undo(failure, cause)];
}

/** A copy that is whole is not made again: where it may be what is wrong, it has to go first. */
function undo({ undoable, result: { run } }: RunFailure, cause: unknown): string[] {
  if (isCode(cause, 'convert.content_differs')) {
    return [`To copy the disks anew, undo first: stackferry rollback ${run}; then the same command again`];
  }
  return undoable ? [`Undo: stackferry rollback ${run}`] : [];
}

/** Commands whose result is that of a run in the cloud, and those that print files. */
const OF_RUNS = new Set(['migrate', 'import', 'upload', 'volume', 'server', 'status', 'rollback']);
const OF_FILES = new Set(['export', 'convert']);

function failedResult(cause: unknown, failure: RunFailure | null, called: CalledCommand): unknown {
  const error = errorOf(cause);
  if (OF_FILES.has(called.name ?? '')) {
    const [vm] = failure?.result.vms ?? [];
    return { run: failure?.result.run ?? null, vm: vm ? vm.vm : nameOf(called.vm), disks: [], error };
  }
  if (failure) return { ...failure.result, vms: failure.result.vms.map((vm) => ({ ...vm, error })) };
  if (!OF_RUNS.has(called.name ?? '')) return { error };
  const state = cause instanceof InterruptedError ? 'stopped' : 'failed';
  const vm: VmResult = {
    vm: nameOf(called.vm),
    id: /^id:(\d+)$/.exec(called.vm ?? '')?.[1] ?? null,
    state,
    server_id: null,
    image_ids: [],
    volumes: [],
    ports: [],
    boot: null,
    proof: [],
    warnings: [],
    error,
  };
  return { run: null, state, vms: [vm] };
}

/** The VM's name, where `--vm` says it by name. */
function nameOf(selector: string | null): string | null {
  return selector === null || /^(id|uuid):|[*?[]/.test(selector) ? null : selector;
}

function errorOf(cause: unknown): { code: string; message: string; hint: string | null } {
  if (!(cause instanceof StackferryError)) {
    const message = cause instanceof Error ? cause.message : String(cause);
    return { code: 'internal', message: redactText(message), hint: null };
  }
  return {
    code: cause.code,
    message: redactText(cause.message),
    hint: cause.hint === undefined ? null : redactText(cause.hint),
  };
}
