import type { Prompt } from './prompt.ts';
import { type Answers, problemOf, type Question, questions } from './questions.ts';

/** An answer that was given on the command line and cannot be taken, or is missing there. */
export class AnswerError extends Error {}

/**
 * Answers all questions: by options where they are given, by asking where there is somebody to ask, by defaults otherwise.
 * What does not fit is asked again; where nobody can be asked it is an error.
 *
 * @param given - options of the command line by the name of the question
 * @param prompt - null: nobody is asked
 * @throws AnswerError naming every option that is missing or wrong
 * @throws Ended
 */
export async function answerAll(given: Readonly<Record<string, unknown>>, prompt: Prompt | null): Promise<Answers> {
  let answers: Answers = {};
  const problems: string[] = [];
  for (const question of questions) {
    if (question.isAsked?.(answers) === false) {
      if (given[question.name] !== undefined) problems.push(`--${question.name} does not go with the other answers`);
      if (question.otherwise !== undefined) answers = { ...answers, [question.name]: question.otherwise };
      continue;
    }
    const option = given[question.name];
    const typed = typeof option === 'string' ? option : null;
    try {
      answers =
        prompt && typed === null ? await askUntilGood(question, answers, prompt) : take(question, answers, typed ?? '');
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
      problems.push(`--${question.name} ${error.message}`);
    }
  }
  if (problems.length > 0) throw new AnswerError(problems.join('\n'));
  return answers;
}

async function askUntilGood(question: Question, answers: Answers, prompt: Prompt): Promise<Answers> {
  const standard = question.standard?.(answers);
  for (;;) {
    const typed = await prompt.ask(`${question.text}${standard ? ` [${standard}]` : ''}: `);
    try {
      return take(question, answers, typed);
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
      prompt.say(`  This ${error.message}.`);
    }
  }
}

/** @throws AnswerError, which goes on the name of the field */
function take(question: Question, answers: Answers, typed: string): Answers {
  const text = typed.trim() === '' ? question.standard?.(answers) : typed.trim();
  if (text === undefined) throw new AnswerError('must be given');
  if (text === null) return { ...answers, [question.name]: null };
  let value: unknown;
  try {
    value = question.read ? question.read(text) : text;
  } catch (error) {
    throw new AnswerError(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const next = { ...answers, [question.name]: value };
  const problem = problemOf(question, next);
  if (problem !== null) throw new AnswerError(inSentence(problem));
  return next;
}

/** Messages of the schema say "must be ..." or "is ..."; those of zod itself are sentences of their own. */
const inSentence = (problem: string): string =>
  /^(must|is|needs|differs)\b/.test(problem) ? problem : `cannot be used: ${problem}`;
