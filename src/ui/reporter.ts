import ora, { type Ora } from 'ora';
import { RateMeter, formatBytes, formatRate, formatSeconds, type StackferryEvent } from '../core/index.js';
import { paint, printable, type Terminal } from './terminal.js';

interface Task {
  label: string;
  done: number;
  total: number;
  meter: RateMeter;
  /** What a wait sees. */
  state: string | null;
  startedAt: number;
  printedAt: number;
}

/** Without a terminal that can be rewritten, a line so often. */
const PLAIN_EVERY_MS = 10_000;

/** Shows events to a person: one live line on a terminal, plain lines otherwise. */
export class Reporter {
  readonly #terminal: Terminal;
  readonly #now: () => number;
  readonly #tasks = new Map<string, Task>();
  #spinner: Ora | undefined;
  #step = '';

  constructor(terminal: Terminal, now: () => number) {
    this.#terminal = terminal;
    this.#now = now;
  }

  readonly show = (event: StackferryEvent): void => {
    if (event.kind === 'warning') {
      const hint = event.hint === undefined ? '' : `\n         ${printable(event.hint)}`;
      this.line(`${paint(this.#terminal, 'yellow', 'warning')}  ${printable(event.message)} (${event.code})${hint}`);
      return;
    }
    if (this.#terminal.quiet) return;
    switch (event.kind) {
      case 'run.started':
        this.line(
          `Run ${paint(this.#terminal, 'bold', event.run)}${event.vm === '' ? '' : ` of ${printable(event.vm)}`}${event.resumed ? ', gone on with' : ''}`,
        );
        break;
      case 'step.started':
        this.#step = `${kindOf(event.step)} ${objectOf(event)}`;
        this.#refresh();
        break;
      case 'step.finished':
        this.#step = '';
        this.line(stepLine(kindOf(event.step), objectOf(event), formatSeconds(event.seconds), event.summary));
        break;
      case 'step.skipped':
        this.line(stepLine(kindOf(event.step), objectOf(event), '-', event.summary));
        break;
      case 'step.failed':
        this.#step = '';
        this.line(
          stepLine(kindOf(event.step), objectOf(event), '-', paint(this.#terminal, 'red', `failed (${event.code})`)),
        );
        break;
      case 'bytes.started':
        this.#begin(event.task, event.label, event.done, event.total);
        break;
      case 'wait.started':
        this.#begin(event.task, `waiting for ${event.label}`, 0, 0);
        break;
      case 'bytes.progress':
        this.#advance(event.task, event.done, event.total);
        break;
      case 'wait.progress': {
        const task = this.#tasks.get(event.task);
        if (task)
          task.state = event.percent === undefined ? event.state : `${event.state} ${Math.round(event.percent)} %`;
        this.#tick(task);
        break;
      }
      case 'bytes.finished':
      case 'wait.finished':
        this.#tasks.delete(event.task);
        this.#refresh();
        break;
      case 'retry':
        this.line(
          `retry    ${printable(event.what)} in ${formatSeconds(event.delayMs / 1000)}: ${printable(event.reason)}`,
        );
        break;
      case 'notice':
        this.line(printable(event.message));
        break;
      case 'resource.created':
        if (this.#terminal.verbose) this.line(`made     ${event.resource} ${printable(event.name)} ${event.id}`);
        break;
      case 'resource.deleted':
        this.line(
          `deleted  ${event.resource} ${event.name === event.id ? '' : `${printable(event.name)} `}${event.id}`,
        );
        break;
      case 'run.finished':
        break;
    }
  };

  /** Prints a whole line, above the live one. */
  line(text: string): void {
    const spinning = this.#spinner?.isSpinning === true;
    if (spinning) this.#spinner?.stop();
    this.#terminal.err(`${text}\n`);
    if (spinning) this.#spinner?.start();
  }

  /** Takes the live line away, for a prompt or the end. */
  stop(): void {
    this.#spinner?.stop();
    this.#spinner = undefined;
  }

  #begin(name: string, label: string, done: number, total: number): void {
    const now = this.#now();
    this.#tasks.set(name, {
      label,
      done,
      total,
      meter: new RateMeter(now, done),
      state: null,
      startedAt: now,
      printedAt: now,
    });
    this.#refresh();
  }

  #advance(name: string, done: number, total: number): void {
    const task = this.#tasks.get(name);
    if (!task) return;
    task.done = done;
    task.total = total;
    task.meter.add(this.#now(), done);
    this.#tick(task);
  }

  /** Shows a task's new state: at once where lines can be rewritten, now and then as a line of its own otherwise. */
  #tick(task: Task | undefined): void {
    if (this.#terminal.live) {
      this.#refresh();
      return;
    }
    const now = this.#now();
    if (!task || now - task.printedAt < PLAIN_EVERY_MS) return;
    task.printedAt = now;
    this.line(this.#describe(task));
  }

  #refresh(): void {
    if (!this.#terminal.live) return;
    const tasks = [...this.#tasks.values()].map((task) => this.#describe(task));
    const text = tasks.length === 0 ? this.#step : tasks.join(' | ');
    if (text === '') {
      this.stop();
      return;
    }
    const cut = text.slice(0, Math.max(20, this.#terminal.width() - 4));
    if (this.#spinner) {
      this.#spinner.text = cut;
      return;
    }
    // Without discardStdin: false, ora takes the keyboard over and Ctrl-C no longer arrives as a signal.
    this.#spinner = ora({
      text: cut,
      stream: this.#terminal.errStream,
      discardStdin: false,
      ...(this.#terminal.color ? {} : { color: false as const }),
      isEnabled: true,
    });
    this.#spinner.start();
  }

  #describe(task: Task): string {
    const label = printable(task.label);
    if (task.state !== null)
      return `${label}: ${printable(task.state)}, ${formatSeconds((this.#now() - task.startedAt) / 1000)}`;
    if (task.total === 0) return label;
    const percent = Math.floor((task.done / task.total) * 100);
    const { rate } = task.meter;
    const eta = rate > 0 ? `, ${formatSeconds((task.total - task.done) / rate)} left` : '';
    const speed = rate > 0 ? `, ${formatRate(rate)}` : '';
    return `${label}: ${percent} % (${formatBytes(task.done)} of ${formatBytes(task.total)})${speed}${eta}`;
  }
}

/** `export:scsi0:0` is an export. */
function kindOf(step: string): string {
  return step.split(':', 1)[0] ?? step;
}

/** What a step is about, without its kind once more: the line has that already ("volume   volume web01"). */
function objectOf({ step, subject }: { step: string; subject: string }): string {
  const kind = `${kindOf(step)} `;
  return printable(subject.startsWith(kind) ? subject.slice(kind.length) : subject);
}

function stepLine(kind: string, subject: string, seconds: string, summary: string): string {
  return `${kind.padEnd(8)} ${subject.padEnd(32)} ${seconds.padStart(10)}   ${summary}`;
}
