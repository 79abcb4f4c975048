import { singularOf, wordsOf } from './column-name.ts';

/** What the rows of a table are about, as far as names tell: `name` of a customer is a person's, that of a product is not. */
export interface TableContext {
  /** Each row is a person. */
  people: boolean;
  /** Each row belongs to a person, or is one: visits, orders, messages. */
  linked: boolean;
  /** It holds addresses. */
  addresses: boolean;
}

/** Of a table of which nothing is known. */
export const UNKNOWN_CONTEXT: TableContext = { people: false, linked: false, addresses: false };

const PEOPLE = new Set(
  (
    'person customer client user member employee staff patient contact actor author guest passenger student teacher doctor ' +
    'physician nurse driver tenant applicant candidate subscriber recipient beneficiary participant visitor donor voter citizen ' +
    'resident relative guardian parent child kin artist director player profile borrower lender payer payee cardholder insured ' +
    'witness salesperson personnel individual human practitioner clinician surgeon worker pupil caregiver caretaker'
  ).split(' '),
);

/** Rows that belong to one of these say something about a person. Who made or approved a row says nothing of the row. */
const LINK =
  /(^|_)(person|customer|client|patient|member|guest|student|subscriber|applicant|candidate|employee|user|contact|passenger|tenant|donor|beneficiary|insured|participant)_?(id|no|nr|number|key|ref|uuid|fk)$/;
const BY_WHOM = /(creat|updat|modif|chang|approv|assign|delet|enter|review|own|manag)\w*_(by_)?/;

const WHO =
  /(first|last|given|family|sur|maiden|middle)_?name|(vor|nach)name|birth|(^|_)dob($|_)|^(gender|sex)$|(^|_)ssn|national_?id/;
const REACHED = [/e_?mail/, /phone|mobile|(^|_)(fax|tel)($|_)/];
const PLACED = /(^|_)(zip|plz|post_?code|postal_?code|zip_?code)($|_)|street|address_?(line)?_?\d*$/;

/** Says of a table by its name and those of its columns what its rows are about. */
export function contextOf(table: string, columns: readonly string[]): TableContext {
  const words = wordsOf(table).split('_');
  const last = singularOf(words.at(-1) ?? '');
  const names = columns.map(wordsOf);
  const who = names.filter((name) => WHO.test(name)).length;
  const reached = REACHED.filter((pattern) => names.some((name) => pattern.test(name))).length;
  const isNamedSo =
    PEOPLE.has(last) || (words.length === 1 && [...PEOPLE].some((each) => each.length > 5 && last.endsWith(each)));
  const people = isNamedSo || who >= 2;
  const isLinked = names.some((name) => LINK.test(name) && !BY_WHOM.test(name));
  return {
    people,
    linked: people || isLinked || who + reached >= 2,
    addresses: names.filter((name) => PLACED.test(name) && !/(mail|ip|mac|web)_?addr/.test(name)).length > 0,
  };
}
