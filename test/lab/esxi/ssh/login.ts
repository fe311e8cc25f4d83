import { timingSafeEqual } from 'node:crypto';

import ssh2, { type AuthContext, type KeyboardAuthContext, type PublicKeyAuthContext } from 'ssh2';

const METHODS: ('publickey' | 'keyboard-interactive')[] = ['publickey', 'keyboard-interactive'];

export interface LoginRules {
  user: string;
  password: string;
  authorizedKeys: string[];
  extraRounds: string[][];
  zeroPromptRound: boolean;
  lockAfter: number;
  lockSeconds: number;
}

const same = (a: Buffer, b: Buffer) => a.length === b.length && timingSafeEqual(a, b);

/**
 * A stock ESXi's login: `password` is off, keyboard-interactive asks once (ESXI.md: more rounds, also empty ones, were
 * seen), five wrong passwords lock the account for 900 s, and FIPS mode refuses ed25519 keys.
 */
export class LoginDesk {
  /** Attempts that were refused for a wrong password, user or locked account, and keys that did not fit. */
  refused = 0;
  readonly #rules: LoginRules;
  #wrong = 0;
  #lockedUntil = 0;

  constructor(rules: LoginRules) {
    this.#rules = rules;
  }

  handle(context: AuthContext): void {
    switch (context.method) {
      case 'publickey':
        this.#publicKey(context);
        return;
      case 'keyboard-interactive':
        this.#keyboard(context);
        return;
      default:
        context.reject(METHODS);
    }
  }

  #publicKey(context: PublicKeyAuthContext): void {
    const fits =
      context.username === this.#rules.user &&
      context.key.algo !== 'ssh-ed25519' &&
      this.#rules.authorizedKeys.some((line) => {
        const parsed = ssh2.utils.parseKey(line);
        if (parsed instanceof Error || !same(parsed.getPublicSSH(), context.key.data)) return false;
        // Without a signature the client only asks whether the key would do.
        if (context.signature === undefined || context.blob === undefined) return true;
        // An Error, which is truthy, says that the signature could not be judged.
        const verdict: unknown = parsed.verify(context.blob, context.signature, context.hashAlgo);
        return verdict === true;
      });
    if (fits) {
      context.accept();
      return;
    }
    this.refused += 1;
    context.reject(METHODS);
  }

  #keyboard(context: KeyboardAuthContext): void {
    const rounds = [
      ...this.#rules.extraRounds,
      ['Password: '],
      ...(this.#rules.zeroPromptRound ? [[] as string[]] : []),
    ];
    const passwordRound = this.#rules.extraRounds.length;
    let right = false;
    const ask = (round: number): void => {
      const prompts = rounds[round];
      if (prompts === undefined) {
        if (right) context.accept();
        else this.#refuse(context);
        return;
      }
      context.prompt(
        prompts.map((prompt) => ({ prompt, echo: false })),
        (answers) => {
          if (round === passwordRound) {
            right = this.#isRight(context.username, answers[0] ?? '');
            if (!right) {
              this.#refuse(context);
              return;
            }
          }
          ask(round + 1);
        },
      );
    };
    ask(0);
  }

  /** A locked account refuses the right password, too, and looks no different. */
  #isRight(user: string, password: string): boolean {
    if (Date.now() < this.#lockedUntil) return false;
    if (user === this.#rules.user && same(Buffer.from(password), Buffer.from(this.#rules.password))) {
      this.#wrong = 0;
      return true;
    }
    this.#wrong += 1;
    if (this.#wrong >= this.#rules.lockAfter) {
      this.#wrong = 0;
      this.#lockedUntil = Date.now() + this.#rules.lockSeconds * 1000;
    }
    return false;
  }

  #refuse(context: KeyboardAuthContext): void {
    this.refused += 1;
    context.reject(METHODS);
  }
}
