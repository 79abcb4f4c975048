import { isIP } from 'node:net';
import type { TypeKind } from '../column.ts';
import type { Mask } from '../rules/registry.ts';
import type { TableContext } from './about-people.ts';
import { isIban, isNationalId, passesLuhn } from './check-digits.ts';
import { hasGivenName } from './given-names.ts';

/** A name of a column that speaks for a kind. */
export interface NameClue {
  /** Of the name as `wordsOf` writes it. */
  pattern: RegExp;
  /** How much it says alone, from 0 to 1. */
  weight: number;
  /** It says so only in a table of this sort; by default in any. */
  where?: keyof TableContext;
}

/** One kind of personal data: how it is known, and what is proposed. */
export interface Detector {
  kind: string;
  /** Types of column that may hold it; within arrays and documents all is text. */
  types: readonly TypeKind[];
  clues: readonly NameClue[];
  /** Whether a value, without blanks at its ends, is of this kind by its form alone. */
  isOne(value: string): boolean;
  /** Whether a value may be of this kind where the name says that it is; by default, any may. */
  fits?(value: string): boolean;
  /**
   * How much values alone say, from 0 to 1, if all of them are of this kind: check digits say nearly all, a form that much else has
   * little.
   */
  weight: number;
  /** The first one that fits the column is proposed. @param name - as `wordsOf` writes it */
  masks(name: string): readonly Mask[];
}

const digitsOf = (value: string): string => value.replace(/\D/g, '');
const never = (): boolean => false;
const hasDigits = (least: number, most: number) => (value: string) =>
  /^[\p{L}\d\s()+./#,-]*$/u.test(value) && digitsOf(value).length >= least && digitsOf(value).length <= most;

const sameForm: Mask = { rule: 'keep_format', keep_first: 0, keep_last: 0 };
const emptyText: readonly Mask[] = [{ rule: 'fixed', value: '' }, { rule: 'null' }];
/** Of few different values, which a constraint may name. */
const exchanged: readonly Mask[] = [{ rule: 'shuffle' }, { rule: 'null' }];

const PERSONS =
  'contact|person|owner|customer|client|patient|employee|member|doctor|physician|nurse|author|recipient|sender|reviewer|next_?of_?kin|' +
  'guardian|spouse|mother|father|child|witness|applicant|card_?holder|account_?holder|holder|payee|driver|passenger|guest|student|teacher|' +
  'beneficiary|insured|subscriber|signatory|signer|attendee';

/** What no clue is meant by: when, how often or of which type something is. */
export const NOT_A_VALUE =
  /(_|^)(at|on|count|(?<!blood_)type|types|status|state|enabled|verified|confirmed|valid|attempts?|policy|length|size|expir\w*|updated|changed|created|modified|promotion|opt_?(in|out)|format|template|flag)$|^(is|has|can|num|count|max|min|allow)_/;

export const detectors: readonly Detector[] = [
  {
    kind: 'email',
    types: ['text'],
    clues: [{ pattern: /e_?mail/, weight: 0.7 }],
    isOne: (value) => /^[^\s@]+@[^\s@]+\.[a-z]{2,}$/i.test(value),
    fits: (value) => value.includes('@'),
    weight: 0.98,
    masks: () => [{ rule: 'email', domain: 'example.com' }, { rule: 'hash', length: 16 }, { rule: 'null' }],
  },
  {
    kind: 'secret',
    types: ['text', 'bytes', 'uuid'],
    clues: [
      {
        pattern: /pass_?(word|wd|phrase|code)|(^|_)(pwd|passwd|salt|totp|otp)($|_)|password_?(hash|salt)/,
        weight: 0.7,
      },
      {
        pattern:
          /(^|_)(secret|api_?key|private_?key|access_?key|(access|refresh|session|auth|reset|bearer)_?token|session_?key)(_|$)/,
        weight: 0.7,
      },
      {
        pattern: /(^|_)(pin(_?code)?|token|security_?answer|recovery_?codes?|mfa_?\w+|two_?factor_?\w+)$/,
        weight: 0.6,
        where: 'linked',
      },
    ],
    isOne: (value) =>
      /^\$(1|5|6|2[aby]|argon2(id?|d)|scrypt|pbkdf2[\w-]*)\$|^SCRAM-SHA-256\$|^md5[0-9a-f]{32}$|^eyJ[\w-]+\.[\w-]+\.|^-----BEGIN [A-Z ]*PRIVATE KEY|^[spr]k_(live|test)_\w+$|^AKIA[0-9A-Z]{16}$|^gh[pousr]_\w{36}/.test(
        value,
      ),
    weight: 0.97,
    masks: () => [{ rule: 'hash', length: 16 }, { rule: 'hash', length: 8 }, { rule: 'null' }, sameForm],
  },
  {
    kind: 'card',
    types: ['text', 'integer'],
    clues: [{ pattern: /card_?(no|nr|num)|(^|_)pan$|^(credit|debit)_?card$|(^|_)cc_?(no|nr|num)/, weight: 0.6 }],
    isOne: (value) =>
      /^\d[\d -]{11,22}\d$/.test(value) && /^[2-6]\d{12,18}$/.test(digitsOf(value)) && passesLuhn(digitsOf(value)),
    fits: hasDigits(12, 19),
    weight: 0.95,
    masks: () => [{ rule: 'card', keep_first: 0 }, sameForm],
  },
  {
    kind: 'iban',
    types: ['text'],
    clues: [{ pattern: /iban|bank_?account|(^|_)(routing|sort)_?(no|number|code)$/, weight: 0.7 }],
    isOne: isIban,
    fits: hasDigits(6, 34),
    weight: 0.98,
    masks: () => [{ rule: 'keep_format', keep_first: 2, keep_last: 0 }],
  },
  {
    kind: 'national_id',
    types: ['text', 'integer'],
    clues: [
      {
        pattern:
          /(^|_)(ssn|nino|dni|nie|cpf|nir|svnr|bsn|pesel|aadhaar|mrn|passport|tax_?(id|no|number)|social_?security)|national_?id|(driver_?s?|driving)_?licen[cs]e|medical_?record|(nhs|insurance|insured|policy_?holder|health_?card|patient|social_?insurance)_?(no|nr|num|number)($|_)|licen[cs]e_?plate|number_?plate/,
        weight: 0.7,
      },
      { pattern: /^(insurance_?id|member_?(no|number)|licen[cs]e_?(no|number))$/, weight: 0.6, where: 'linked' },
    ],
    isOne: isNationalId,
    fits: (value) => /\d{2}/.test(value) && /^[\p{L}\d\s./-]{4,30}$/u.test(value),
    weight: 0.95,
    masks: () => [sameForm],
  },
  {
    kind: 'ip_address',
    types: ['text', 'other'],
    clues: [{ pattern: /(^|_)ip(_?addr(ess)?)?($|_)|remote_?addr/, weight: 0.4 }],
    isOne: (value) => isIP(value.replace(/\/\d+$/, '')) !== 0,
    fits: (value) => isIP(value.replace(/\/\d+$/, '')) !== 0,
    weight: 0.9,
    masks: () => [{ rule: 'hash', length: 16 }, { rule: 'null' }, { rule: 'fixed', value: '0.0.0.0' }],
  },
  {
    kind: 'phone',
    types: ['text', 'integer', 'decimal'],
    clues: [
      {
        pattern:
          /phone(?!_?ext)|mobile(?!_?(app|os|version))|(^|_)(fax|tel|cell|pager|msisdn)(_?(no|nr|num|number))?($|_)/,
        weight: 0.7,
      },
    ],
    isOne: (value) =>
      /^(\+|\(?0|\(?\d{2,4}[)\s./-])[\d\s()./-]{5,20}$/.test(value) &&
      /^\d{7,15}$/.test(digitsOf(value)) &&
      !/^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}/.test(value),
    fits: hasDigits(4, 20),
    weight: 0.7,
    masks: () => [{ rule: 'phone', keep_first: 2 }, sameForm, { rule: 'null' }],
  },
  {
    kind: 'birth_date',
    types: ['date', 'timestamp', 'text'],
    clues: [{ pattern: /birth(?!_?(place|country|city|town|weight|order))|(^|_)(born|dob)($|_)/, weight: 0.8 }],
    isOne: never,
    weight: 0,
    masks: () => [
      { rule: 'date_shift', days: 180, same_for_all: false },
      { rule: 'fixed', value: '1970-01-01' },
    ],
  },
  {
    kind: 'name',
    types: ['text'],
    clues: [
      {
        pattern:
          /(first|last|given|family|sur|full|middle|maiden|fore)_?name|(^|_)(vorname|nachname|prenom|apellidos?)($|_)/,
        weight: 0.65,
      },
      { pattern: new RegExp(`(^|_)(${PERSONS})s?_?(full_?)?name`), weight: 0.6 },
      {
        pattern:
          /^(emergency_?contact|next_?of_?kin|card_?holder|account_?holder|holder|payee|display_?name|legal_?name|ship_?name|attending_?(physician|doctor))$/,
        weight: 0.6,
        where: 'linked',
      },
      { pattern: /^(name|nom|nombre|alias)$/, weight: 0.6, where: 'people' },
    ],
    isOne: (value) => /^\p{Lu}[\p{L}'’.-]*(,? [\p{L}][\p{L}'’.-]*){0,4}$/u.test(value) && hasGivenName(value),
    fits: (value) => /^[\p{L}\p{M}'’. ,()-]+$/u.test(value),
    weight: 0.6,
    masks: (name) => {
      const part = /first|given|vor|fore|prenom|middle/.test(name)
        ? 'first'
        : /last|family|sur|maiden|nach|apellido/.test(name)
          ? 'last'
          : 'full';
      return [{ rule: 'name', part }, { rule: 'hash', length: 8 }, sameForm];
    },
  },
  {
    kind: 'user_name',
    types: ['text'],
    clues: [{ pattern: /(^|_)(user_?name|login(_?(id|name))?|nick(_?name)?|screen_?name)$/, weight: 0.6 }],
    isOne: never,
    weight: 0,
    masks: () => [{ rule: 'hash', length: 16 }, { rule: 'hash', length: 8 }, sameForm],
  },
  {
    kind: 'postal_code',
    types: ['text', 'integer'],
    clues: [{ pattern: /(^|_)(zip|plz)(_?code)?($|_)|post(al)?_?code/, weight: 0.6 }],
    isOne: never,
    fits: (value) => /^[A-Z0-9][A-Z0-9 -]{1,11}$/i.test(value) && /\d/.test(value),
    weight: 0,
    masks: () => [sameForm],
  },
  {
    kind: 'address',
    types: ['text'],
    clues: [
      {
        pattern:
          /(?<!(^|_)(mac|ip|web|url|mail|memory|remote|host)_?)address_?(line)?_?\d*$|(^|_)addr(_?\d)?$|street(_?(name|address|no|number))?_?\d?$|(^|_)(house_?(no|number)|po_?box)$/,
        weight: 0.6,
      },
      { pattern: /(^|_)(city|town|village|suburb|municipality)(_?name)?$/, weight: 0.5, where: 'addresses' },
      { pattern: /birth_?(place|city|town)|place_?of_?birth/, weight: 0.6 },
    ],
    isOne: (value) => /^(?=.*\p{L}{3})(?=.*\d)[\p{L}\d\s.,'’/#-]{6,120}$/u.test(value) && /\s/.test(value),
    fits: (value) => /\p{L}/u.test(value) && !/[@]|:\/\//.test(value) && isIP(value) === 0,
    weight: 0.2,
    masks: (name) => {
      const part = /city|town|village|suburb|municipality|place/.test(name)
        ? 'city'
        : /line|street/.test(name)
          ? 'street'
          : 'full';
      return [{ rule: 'address', part }, { rule: 'hash', length: 8 }, sameForm];
    },
  },
  {
    kind: 'location',
    types: ['float', 'decimal'],
    clues: [{ pattern: /(^|_)(lat|latitude|lng|lon|longitude)($|_)/, weight: 0.6, where: 'linked' }],
    isOne: never,
    weight: 0,
    masks: () => [{ rule: 'number_noise', ratio: 0.1 }],
  },
  {
    kind: 'income',
    types: ['decimal', 'float', 'integer'],
    clues: [{ pattern: /salary|(^|_)(wage|income|pay_?rate|hourly_?rate)s?($|_)/, weight: 0.6, where: 'linked' }],
    isOne: never,
    weight: 0,
    masks: () => [{ rule: 'number_noise', ratio: 0.2 }],
  },
  {
    kind: 'sensitive',
    types: ['text'],
    clues: [
      {
        pattern:
          /^(gender|sex)(_?code)?$|marital|religio|ethnic|(^|_)race$|nationality|citizenship|sexual_?orientation|political|disabilit/,
        weight: 0.6,
        where: 'linked',
      },
    ],
    isOne: never,
    weight: 0,
    masks: () => exchanged,
  },
  {
    kind: 'health',
    types: ['text'],
    clues: [
      {
        pattern:
          /diagnos|allerg|symptom|(^|_)blood_?(type|group)|medical_?(history|condition)|(^|_)icd(_?\d+)?(_?code)?$|medication|prescription|treatment|vaccin|prognosis|(lab|test)_?result|anamnesis|(^|_)dosage$/,
        weight: 0.6,
        where: 'linked',
      },
    ],
    isOne: never,
    weight: 0,
    masks: () => [...exchanged, { rule: 'fixed', value: '' }],
  },
  {
    kind: 'free_text',
    types: ['text'],
    clues: [
      {
        pattern:
          /(^|_)(notes?|comments?|remarks?|messages?|bio|biography|memo|feedback|complaint|narrative|transcript|observations?|resume|cv|cover_?letter|review_?text)$/,
        // A note need not be personal: find proposes a rule for it, and nothing is refused because of it.
        weight: 0.55,
        where: 'linked',
      },
    ],
    isOne: (value) => value.length >= 40 && value.split(/\s+/).length >= 6,
    weight: 0.2,
    masks: () => emptyText,
  },
];

/** How much the name of a column says for a kind, from 0 to 1, in a table of which so much is known. */
export function weightOfName({ clues }: Detector, name: string, context: TableContext): number {
  if (NOT_A_VALUE.test(name)) return 0;
  return Math.max(
    0,
    ...clues.map(({ pattern, weight, where }) =>
      pattern.test(name) && (where === undefined || context[where]) ? weight : 0,
    ),
  );
}
