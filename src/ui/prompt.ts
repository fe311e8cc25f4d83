import { InterruptedError, UsageError, type Answer, type Question } from '../core/index.js';
import { printable, type Terminal } from './terminal.js';

/**
 * Puts a question to the person at the terminal (on stderr). Where nobody can answer, throws and names the option to
 * use instead.
 */
export async function ask<Q extends Question>(
  terminal: Terminal,
  question: Q,
  signal: AbortSignal,
): Promise<Answer<Q>> {
  if (!terminal.interactive) {
    throw new UsageError(
      `There is no terminal to answer: ${printable(question.message)}`,
      `Say it on the command line: ${question.option}`,
    );
  }
  const { createPromptModule } = await import('inquirer');
  const prompt = createPromptModule({ output: terminal.errStream, signal });
  const message = printable(question.message);
  try {
    const answers: Record<string, unknown> = await prompt([inquiry(question, message)]);
    // Each type of question has one type of answer, by the library's own rules.
    return answers['answer'] as Answer<Q>;
  } catch (error) {
    if (error instanceof Error && (error.name === 'ExitPromptError' || error.name === 'AbortPromptError')) {
      throw new InterruptedError();
    }
    throw error;
  }
}

function inquiry(question: Question, message: string) {
  switch (question.type) {
    case 'confirm':
      return { type: 'confirm' as const, name: 'answer', message, default: question.default };
    case 'secret':
      return { type: 'password' as const, name: 'answer', message, mask: false };
    case 'text':
      return { type: 'input' as const, name: 'answer', message };
  }
}
