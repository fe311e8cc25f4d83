import type { Prompt } from 'ssh2';
import { InterruptedError, StackferryError, type Context, type Secret } from '../../core/index.js';

/** A one-time code and the like: never answered with the password. */
const SECOND_FACTOR = /one[- ]?time|otp|token|verification|authenticator|passcode|pass code|\bcode\b|\bpin\b|duo/i;
const NEW_PASSWORD = /\b(new|retype|current|old)\b.*password|password.*expired/i;
const USER = /user|login|account|name/i;
/** PAM asks once a login; a second, differently worded prompt may be another module's. More is a refusal in disguise. */
const MOST_PASSWORDS = 2;
const MOST_ROUNDS = 10;

export interface PromptAnswers {
  /** The text to send. */
  answers: string[];
  /** Whether the password is among it. */
  usedPassword: boolean;
}

/**
 * Answers the rounds of one keyboard-interactive login (RFC 4256): the password for the first hidden prompt that
 * does not ask for something else, the user's name for a visible one that asks for it, and the person for the rest.
 * A round without prompts (a notice) is answered with no answers.
 */
export class PromptAnswerer {
  readonly #ctx: Context;
  readonly #place: string;
  readonly #user: string;
  readonly #password: (() => Promise<Secret>) | undefined;
  #rounds = 0;
  #passwords = 0;

  constructor(ctx: Context, place: string, user: string, password: (() => Promise<Secret>) | undefined) {
    this.#ctx = ctx;
    this.#place = place;
    this.#user = user;
    this.#password = password;
  }

  async round(prompts: readonly Prompt[]): Promise<PromptAnswers> {
    if (++this.#rounds > MOST_ROUNDS) {
      throw new StackferryError(
        'esxi.login_prompt',
        `${this.#place} keeps asking: ${MOST_ROUNDS} rounds of questions.`,
        {
          hint: 'Log in by hand with ssh to see what the host wants, or use a key (--esxi-key).',
        },
      );
    }
    const answers: string[] = [];
    let usedPassword = false;
    for (const { prompt: text, echo } of prompts) {
      const hidden = echo !== true;
      // Names in a prompt ("root@code.example's password:") must not be taken for what it asks.
      const prompt = text.replace(/\S*@\S*/g, '');
      if (hidden && NEW_PASSWORD.test(prompt)) throw this.#expired(text);
      if (!hidden && USER.test(prompt)) {
        answers.push(this.#user);
      } else if (this.#password !== undefined && hidden && this.#isForPassword(prompt)) {
        this.#passwords++;
        usedPassword = true;
        answers.push((await this.#password()).reveal());
      } else {
        answers.push(await this.#askPerson(text));
      }
    }
    return { answers, usedPassword };
  }

  #isForPassword(prompt: string): boolean {
    if (SECOND_FACTOR.test(prompt)) return false;
    if (this.#passwords === 0) return true;
    return this.#passwords < MOST_PASSWORDS && /passw/i.test(prompt);
  }

  async #askPerson(prompt: string): Promise<string> {
    try {
      return await this.#ctx.events.ask({
        type: 'secret',
        code: 'esxi.login_prompt',
        message: `${this.#place} asks: ${prompt.trim()}`,
        option: '--esxi-key',
      });
    } catch (error) {
      if (error instanceof InterruptedError || this.#ctx.signal.aborted) throw error;
      throw new StackferryError(
        'esxi.login_prompt',
        `${this.#place} asks ${JSON.stringify(prompt.trim())}, and nobody can answer.`,
        { hint: 'Run it on a terminal, or use a key (--esxi-key).', cause: error },
      );
    }
  }

  #expired(prompt: string): StackferryError {
    return new StackferryError(
      'esxi.password_expired',
      `${this.#place} demands a new password: ${JSON.stringify(prompt.trim())}.`,
      { hint: 'Log in once by hand (ssh, or the host client) and set a new password, then use that.' },
    );
  }
}
