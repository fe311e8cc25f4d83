import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

/**
 * A headless browser for the pages that the program writes, driven by the DevTools protocol over a pipe
 * (https://chromedevtools.github.io/devtools-protocol/): JSON messages, each ended by a zero byte.
 */

/** Where a browser of this family lies on Debian and elsewhere. A snap's is left out: it sees no files of /tmp. */
const PROGRAMS = [
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/opt/google/chrome/chrome',
];

type Json = Record<string, unknown>;
interface Message {
  id?: number;
  sessionId?: string;
  method?: string;
  params?: Json;
  result?: Json;
  error?: { message: string };
}

export class Browser {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #out: Writable;
  readonly #waiting = new Map<number, { resolve: (result: Json) => void; reject: (error: Error) => void }>();
  readonly #listeners = new Map<string, (method: string, params: Json) => void>();
  #stderr = '';
  #last = 0;

  private constructor(child: ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
    this.#out = child.stdio[3] as Writable;
    this.#out.on('error', () => undefined);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    let rest = '';
    (child.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\0');
      rest = parts.pop() ?? '';
      for (const part of parts) this.#take(JSON.parse(part) as Message);
    });
    child.once('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the browser ended:\n${this.#stderr}`));
      this.#waiting.clear();
    });
  }

  static async open(): Promise<Browser> {
    const program = PROGRAMS.find((path) => existsSync(path));
    if (program === undefined) {
      throw new Error('There is no browser here. Install one: apt-get install --no-install-recommends chromium');
    }
    const profile = await mkdtemp(join(tmpdir(), 'stackferry-browser-'));
    const args = [
      '--headless',
      '--remote-debugging-pipe',
      `--user-data-dir=${profile}`,
      '--no-first-run',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--disable-component-update',
      // Its sandbox wants an ordinary user; root has none to go down to.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ];
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] });
    await once(child, 'spawn');
    return new Browser(child, profile);
  }

  #take({ id, sessionId, method, params, result, error }: Message): void {
    if (id === undefined) {
      if (method !== undefined) this.#listeners.get(sessionId ?? '')?.(method, params ?? {});
      return;
    }
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new Error(error.message));
    else waiting?.resolve(result ?? {});
  }

  send(method: string, params: Json = {}, sessionId?: string): Promise<Json> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#out.write(`${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`);
    });
  }

  /** A new, empty tab. */
  async page(): Promise<Page> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page((method, params) => this.send(method, params, String(sessionId)));
    this.#listeners.set(String(sessionId), (method, params) => page.listen(method, params));
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await page.send(`${domain}.enable`);
    return page;
  }

  async close(): Promise<void> {
    const ended = this.#child.exitCode === null ? once(this.#child, 'close') : Promise.resolve();
    await this.send('Browser.close').catch(() => this.#child.kill('SIGKILL'));
    await ended;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A tab, and what it has done that a quiet page does not. */
export class Page {
  readonly send: (method: string, params?: Json) => Promise<Json>;
  /** Console lines, exceptions and what the browser logs (a breach of the page's policy is there). */
  readonly complaints: string[] = [];
  /** Addresses that were asked for, the page's own first. */
  readonly requests: string[] = [];
  /** `alert` and the like. */
  readonly dialogs: string[] = [];
  #loaded: () => void = () => undefined;

  constructor(send: Page['send']) {
    this.send = send;
  }

  listen(method: string, params: Json): void {
    switch (method) {
      case 'Page.loadEventFired':
        this.#loaded();
        break;
      case 'Network.requestWillBeSent':
        this.requests.push((params['request'] as { url: string }).url);
        break;
      case 'Page.javascriptDialogOpening':
        this.dialogs.push(String(params['message']));
        void this.send('Page.handleJavaScriptDialog', { accept: false }).catch(() => undefined);
        break;
      case 'Runtime.consoleAPICalled':
      case 'Runtime.exceptionThrown':
      case 'Log.entryAdded':
        this.complaints.push(JSON.stringify(params));
        break;
      default:
    }
  }

  async goto(url: string): Promise<void> {
    const loaded = new Promise<void>((resolve) => (this.#loaded = resolve));
    const { errorText } = await this.send('Page.navigate', { url });
    if (errorText !== undefined) throw new Error(`${url}: ${JSON.stringify(errorText)}`);
    await loaded;
  }

  /** The value of an expression in the page; a promise is waited for. */
  async evaluate<T = unknown>(expression: string): Promise<T> {
    const { result, exceptionDetails } = (await this.send('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
    })) as { result: { value: T }; exceptionDetails?: unknown };
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return result.value;
  }

  /** Presses a key as a person does: `Tab`, `Enter`, ` `, `ArrowRight`. */
  async press(key: string, { shift = false } = {}): Promise<void> {
    const codes: Record<string, number> = { Tab: 9, Enter: 13, ' ': 32, ArrowRight: 39, ArrowDown: 40 };
    const text: Record<string, string> = { Enter: '\r', ' ': ' ' };
    const base = {
      key,
      code: key === ' ' ? 'Space' : key,
      windowsVirtualKeyCode: codes[key] ?? 0,
      modifiers: shift ? 8 : 0,
    };
    const printed = text[key] === undefined ? {} : { text: text[key] };
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', ...base, ...printed });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...base });
  }

  type(text: string): Promise<Json> {
    return this.send('Input.insertText', { text });
  }

  resize(width: number, height = 900): Promise<Json> {
    return this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
  }

  colors(scheme: 'light' | 'dark'): Promise<Json> {
    return this.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
  }

  async screenshot(): Promise<Buffer> {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true });
    return Buffer.from(String(data), 'base64');
  }

  async pdf(): Promise<Buffer> {
    const { data } = await this.send('Page.printToPDF', { paperWidth: 8.27, paperHeight: 11.69 });
    return Buffer.from(String(data), 'base64');
  }
}
