import type { AnyAuthMethod, AuthHandlerMiddleware, AuthenticationType } from 'ssh2';
import { StackferryError, type Context, type Secret } from '../../core/index.js';
import { loginRefused, type Place } from './failures.js';
import type { Identity } from './keys.js';
import { PromptAnswerer } from './prompts.js';
import { rememberRefusal, wasRefused } from './refusals.js';
import type { LoginMethod, SshTarget } from './target.js';

type Step =
  { method: 'key' | 'agent'; identity: Identity } | { method: 'keyboard-interactive' } | { method: 'password' };

/** What one connection's login reports to the connection. */
export interface LoginHooks {
  /** The login ends here; nothing more is sent. */
  fail(error: StackferryError): void;
  /** A person is asked meanwhile: time limits stand still until it is called with false. */
  asking(waiting: boolean): void;
}

/**
 * The credentials of one shell. The password is asked for at most once; what let the first connection in is what the
 * later ones use, so that they cost the host no failed try.
 */
export class Login {
  readonly #target: SshTarget;
  readonly #place: Place;
  readonly #identities: readonly Identity[];
  readonly #ctx: Context;
  #password: Promise<Secret> | null = null;
  #steps: Step[];

  constructor(target: SshTarget, place: Place, identities: readonly Identity[], ctx: Context) {
    this.#target = target;
    this.#place = place;
    this.#identities = identities;
    this.#ctx = ctx;
    this.#steps = [
      ...identities.map((identity): Step => ({ method: identity.kind, identity })),
      { method: 'keyboard-interactive' },
      { method: 'password' },
    ];
  }

  /** Throws if there is nothing to log in with that was not refused before. */
  assertHopeful(): void {
    if (this.#target.password !== undefined) return;
    if (wasRefused(this.#place.name, this.#keysCredential())) throw this.#knownRefusal();
  }

  /** One connection's way through the steps, as the handler that ssh2 asks for the next one. */
  begin(hooks: LoginHooks): LoginAttempt {
    return new LoginAttempt(this, this.#ctx, this.#place, this.#target.user, [...this.#steps], hooks);
  }

  /** These steps let us in, in this order: later connections take them straight away. */
  succeededWith(steps: readonly Step[]): void {
    if (steps.length > 0) this.#steps = [...steps];
  }

  get hasPasswordSource(): boolean {
    return this.#target.password !== undefined;
  }

  /** The password, unless it is one that this account was refused with before. */
  async password(hooks: LoginHooks): Promise<Secret> {
    const source = this.#target.password;
    if (source === undefined) throw this.refusal([], false);
    hooks.asking(true);
    try {
      this.#password ??= source();
      const password = await this.#password;
      if (wasRefused(this.#place.name, `password:${password.reveal()}`)) throw this.#knownRefusal();
      return password;
    } finally {
      hooks.asking(false);
    }
  }

  /** The error for a refused login, which is remembered so that it is not sent again. */
  async refuse(tried: readonly string[], sentPassword: boolean): Promise<StackferryError> {
    if (sentPassword && this.#password !== null) {
      rememberRefusal(this.#place.name, `password:${(await this.#password).reveal()}`);
    } else if (this.#target.password === undefined) {
      rememberRefusal(this.#place.name, this.#keysCredential());
    }
    return this.refusal(tried, sentPassword);
  }

  refusal(tried: readonly string[], sentPassword: boolean): StackferryError {
    if (sentPassword) return loginRefused(this.#place, `wrong user or password (tried ${tried.join(', ')})`);
    const keys = tried.length === 0 ? 'there is nothing to log in with' : `${tried.join(', ')} did not fit`;
    if (this.#target.password === undefined) {
      return loginRefused(
        this.#place,
        keys,
        undefined,
        'Give a password (STACKFERRY_ESXI_PASSWORD, or on a terminal) or the key of this host (--esxi-key).',
      );
    }
    return loginRefused(this.#place, `${keys}, and the host accepts no password`, undefined);
  }

  #keysCredential(): string {
    return `keys:${this.#identities.map((identity) => identity.fingerprint).join(',')}`;
  }

  #knownRefusal(): StackferryError {
    return loginRefused(this.#place, 'it refused this very login before, so it was not sent again');
  }
}

/** The login of one connection: picks the next method that the host still allows. */
export class LoginAttempt {
  readonly #login: Login;
  readonly #ctx: Context;
  readonly #place: Place;
  readonly #user: string;
  readonly #left: Step[];
  readonly #hooks: LoginHooks;
  readonly #tried: string[] = [];
  /** Steps the host accepted as a part of what it wants, and the one under way. */
  readonly #accepted: Step[] = [];
  #current: Step | null = null;
  #asked = false;
  #ended = false;
  #sentPassword = false;

  constructor(login: Login, ctx: Context, place: Place, user: string, steps: Step[], hooks: LoginHooks) {
    this.#login = login;
    this.#ctx = ctx;
    this.#place = place;
    this.#user = user;
    this.#left = steps;
    this.#hooks = hooks;
  }

  /** What ssh2 calls before each try. It must return undefined, for a promise would be taken for a method. */
  readonly handler: AuthHandlerMiddleware = (methodsLeft, partialSuccess, next) => {
    // ssh2 gives null for both before the first answer.
    const allowed = methodsLeft as AuthenticationType[] | null;
    void this.#next(allowed, partialSuccess, next).catch((error: unknown) => {
      this.#end(
        error instanceof StackferryError ? error : loginRefused(this.#place, 'a method could not be used', error),
      );
    });
  };

  /** Called when the host has let us in: tells how, and remembers it for the next connection. */
  succeeded(): LoginMethod {
    const steps = this.#current === null ? this.#accepted : [...this.#accepted, this.#current];
    this.#login.succeededWith(steps);
    return this.#current?.method ?? 'none';
  }

  /** The error for a host that hangs up with "too many authentication failures". */
  refuse(): Promise<StackferryError> {
    return this.#login.refuse(this.#tried, this.#sentPassword);
  }

  async #next(
    allowed: AuthenticationType[] | null,
    partial: boolean,
    next: (method: AnyAuthMethod) => void,
  ): Promise<void> {
    if (this.#ended) return;
    const username = this.#user;
    if (allowed === null && !this.#asked) {
      // "none" costs no failed try and makes the host name its methods (RFC 4252, 5.2).
      this.#asked = true;
      next({ type: 'none', username });
      return;
    }
    if (partial && this.#current !== null) this.#accepted.push(this.#current);
    this.#current = null;
    for (let step = this.#left.shift(); step !== undefined; step = this.#left.shift()) {
      if (!this.#isPossible(step, allowed)) continue;
      this.#current = step;
      switch (step.method) {
        case 'key':
        case 'agent':
          this.#tried.push(`${step.method} ${step.identity.label}`);
          next(
            'key' in step.identity.use
              ? { type: 'publickey', username, key: step.identity.use.key }
              : { type: 'agent', username, agent: step.identity.use.agent },
          );
          return;
        case 'keyboard-interactive': {
          this.#tried.push(step.method);
          // Asked for before the method begins: PAM counts a conversation that was broken off as a failure.
          if (this.#login.hasPasswordSource) await this.#login.password(this.#hooks);
          next({ type: 'keyboard-interactive', username, prompt: this.#prompt() });
          return;
        }
        case 'password': {
          this.#tried.push(step.method);
          const password = await this.#login.password(this.#hooks);
          this.#sentPassword = true;
          next({ type: 'password', username, password: password.reveal() });
          return;
        }
      }
    }
    this.#end(await this.#login.refuse(this.#tried, this.#sentPassword));
  }

  #isPossible(step: Step, allowed: AuthenticationType[] | null): boolean {
    const name = step.method === 'key' || step.method === 'agent' ? 'publickey' : step.method;
    if (allowed !== null && !allowed.includes(name)) return false;
    if (step.method === 'password') return this.#login.hasPasswordSource && !this.#sentPassword;
    // Without a password, keyboard-interactive only serves as a second factor, which a person answers.
    if (step.method === 'keyboard-interactive') return this.#login.hasPasswordSource || this.#accepted.length > 0;
    return true;
  }

  #prompt() {
    const password = this.#login.hasPasswordSource ? () => this.#login.password(this.#hooks) : undefined;
    const answerer = new PromptAnswerer(this.#ctx, this.#place.name, this.#user, password);
    return (
      _name: string,
      _instructions: string,
      _language: string,
      prompts: { prompt: string; echo?: boolean }[],
      finish: (answers: string[]) => void,
    ): void => {
      this.#hooks.asking(true);
      answerer
        .round(prompts)
        .then(({ answers, usedPassword }) => {
          if (this.#ended) return;
          if (usedPassword) this.#sentPassword = true;
          finish(answers);
        })
        .catch((error: unknown) => {
          this.#end(
            error instanceof StackferryError ? error : loginRefused(this.#place, 'a question was not answered', error),
          );
        })
        .finally(() => {
          this.#hooks.asking(false);
        });
    };
  }

  #end(error: StackferryError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#hooks.fail(error);
  }
}
