import type { Context } from '../core/index.js';
import type { EsxiHost } from '../esxi/index.js';
import type { PackageAddress } from '../migration/import/address.js';
import type { ImportDoor } from '../migration/import/open.js';
import type { SessionBase } from '../migration/session.js';
import type { RunStore } from '../migration/state/store.js';
import type { RunSettings } from '../migration/steps/settings.js';
import type { Terminal } from '../ui/index.js';
import { stateDir, type App } from './app.js';
import type { GlobalOptions } from './options/global.js';
import type { SourceOptions } from './options/source.js';
import { openSource } from './options/source-doors.js';
import { openCloud, type TargetOptions } from './options/target.js';

/** What a command works with: made once its options are read, closed when it ends. */
export interface Tools {
  app: App;
  terminal: Terminal;
  ctx: Context;
  store: RunStore;
  /** The host of the source options; connected once, closed at the end. */
  host: (options: SourceOptions, ctx?: Context) => Promise<EsxiHost>;
  /** Files of VMs in the place of a host; opened once. */
  files: (address: PackageAddress, from: Pick<ImportDoor, 'urls' | 'stdin'>, ctx?: Context) => Promise<EsxiHost>;
  /** What a run needs, for the command of this name. */
  session: (
    command: string,
    settings: RunSettings,
    options: SourceOptions & TargetOptions & { dryRun?: boolean },
  ) => SessionBase;
}

/** Runs the body of a command: events go to the terminal, connections are closed however it ends. */
export async function withTools<T>(app: App, globals: GlobalOptions, work: (tools: Tools) => Promise<T>): Promise<T> {
  const [{ lowerOwnPriority, systemClock, redactText, redactValue }, { Reporter, ask }, { RunStore }] =
    await Promise.all([import('../core/index.js'), import('../ui/index.js'), import('../migration/state/store.js')]);
  const terminal = app.terminal(globals);
  const reporter = new Reporter(terminal, () => Date.now());
  const warned: { code: string; message: string }[] = [];
  const ctx: Context = {
    events: {
      emit: (event) => {
        if (event.kind === 'warning') warned.push({ code: event.code, message: event.message });
        reporter.show(event);
      },
      ask: async (question) => {
        reporter.stop();
        return ask(terminal, question, app.signal);
      },
    },
    signal: app.signal,
    clock: systemClock,
    log: {
      debug: (message, facts) => {
        if (!terminal.verbose) return;
        const more = facts === undefined ? '' : ` ${JSON.stringify(redactValue(facts))}`;
        reporter.line(`debug    ${redactText(message)}${more}`);
      },
    },
  };
  const closers: (() => Promise<void> | void)[] = [];
  const once = <A extends unknown[], R>(make: (...args: A) => Promise<R>, close: (made: R) => Promise<void> | void) => {
    let made: Promise<R> | undefined;
    return (...args: A): Promise<R> => {
      made ??= make(...args).then((value) => {
        closers.push(() => close(value));
        return value;
      });
      return made;
    };
  };
  const host = once(
    (options: SourceOptions, own: Context = ctx) => openSource(app, options, own),
    (value) => value.close(),
  );
  const cloud = once(
    (options: TargetOptions, own: Context) => openCloud(app, options, own),
    (value) => value.close(),
  );
  const files = once(
    async (address: PackageAddress, from: Pick<ImportDoor, 'urls' | 'stdin'>, own: Context = ctx) => {
      const [{ openImport }, { proxiesOf, proxyOf }] = await Promise.all([
        import('../migration/import/open.js'),
        import('../openstack/index.js'),
      ]);
      const proxies = proxiesOf(app.env);
      return openImport(address, { ctx: own, ...from, proxyFor: (url) => proxyOf(url, proxies) });
    },
    (value) => value.close(),
  );
  const store = new RunStore(stateDir(app), ctx.clock);
  const session: Tools['session'] = (command, settings, options) => {
    if (settings.lowPriority) {
      const failed = lowerOwnPriority();
      if (failed !== null) ctx.log.debug(`the priority of this program stays as it is: ${failed}`);
    }
    return base(command, settings, options);
  };
  const base: Tools['session'] = (command, settings, options) => ({
    store,
    ctx,
    settings,
    program: app.version,
    command,
    warned,
    ...(options.dryRun === true ? { dry: [] } : {}),
    doors: {
      host: (own) => host(options, own),
      files: (address, own) => files(address, { urls: new Map(), stdin: null }, own),
      cloud: async (own) => (await cloud(options, own)).withContext(own),
    },
  });
  try {
    return await work({ app, terminal, ctx, store, host, files, session });
  } finally {
    reporter.stop();
    for (const close of closers.reverse()) await Promise.resolve(close()).catch(() => undefined);
  }
}
