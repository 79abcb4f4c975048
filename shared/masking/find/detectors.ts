import { isIP } from 'node:net';
import type { Mask } from '../rules/registry.ts';
import { isIban, isNationalId, passesLuhn } from './check-digits.ts';

/** One kind of personal data: how it is known, and what is proposed. */
export interface Detector {
  kind: string;
  /** Of the column. */
  name: RegExp;
  /** Whether a value, without blanks at its ends, is of this kind. */
  isOne(value: string): boolean;
  /**
   * How much values alone say, from 0 to 1, if all of them are of this kind: check digits say nearly all, a form that much else has
   * little.
   */
  weight: number;
  /** How much the name says alone, from 0 to 1. */
  nameWeight: number;
  /** The first one that fits the column is proposed. */
  masks: readonly Mask[];
}

const digitsOf = (value: string): string => value.replace(/\D/g, '');

export const detectors: readonly Detector[] = [
  {
    kind: 'email',
    name: /e_?mail/i,
    isOne: (value) => /^[^\s@]+@[^\s@]+\.[a-z]{2,}$/i.test(value),
    weight: 0.98,
    nameWeight: 0.7,
    masks: [{ rule: 'email', domain: 'example.com' }, { rule: 'hash', length: 16 }, { rule: 'null' }],
  },
  {
    kind: 'card',
    name: /card_?(no|num)|(^|_)pan($|_)|credit_?card/i,
    isOne: (value) =>
      /^\d[\d -]{11,22}\d$/.test(value) && /^[2-6]\d{12,18}$/.test(digitsOf(value)) && passesLuhn(digitsOf(value)),
    weight: 0.95,
    nameWeight: 0.6,
    masks: [
      { rule: 'card', keep_first: 0 },
      { rule: 'keep_format', keep_first: 0, keep_last: 0 },
    ],
  },
  {
    kind: 'iban',
    name: /iban|bank_?account/i,
    isOne: isIban,
    weight: 0.98,
    nameWeight: 0.7,
    masks: [{ rule: 'keep_format', keep_first: 2, keep_last: 0 }],
  },
  {
    kind: 'national_id',
    name: /(^|_)(ssn|nino|dni|nie|cpf|nir|svnr|passport|tax_?id|social_?security)|national_?id/i,
    isOne: isNationalId,
    weight: 0.95,
    nameWeight: 0.7,
    masks: [{ rule: 'keep_format', keep_first: 0, keep_last: 0 }],
  },
  {
    kind: 'ip_address',
    name: /(^|_)ip(_?addr(ess)?)?($|_)|remote_?addr/i,
    isOne: (value) => isIP(value.replace(/\/\d+$/, '')) !== 0,
    weight: 0.9,
    nameWeight: 0.4,
    masks: [{ rule: 'hash', length: 16 }, { rule: 'null' }, { rule: 'fixed', value: '0.0.0.0' }],
  },
  {
    kind: 'phone',
    name: /phone|mobile|(^|_)(fax|tel|cell)($|_)/i,
    isOne: (value) =>
      /^(\+|\(?0|\(?\d{2,4}[)\s./-])[\d\s()./-]{5,20}$/.test(value) &&
      /^\d{7,15}$/.test(digitsOf(value)) &&
      !/^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}/.test(value),
    weight: 0.7,
    nameWeight: 0.7,
    masks: [
      { rule: 'phone', keep_first: 2 },
      { rule: 'keep_format', keep_first: 0, keep_last: 0 },
    ],
  },
  {
    kind: 'birth_date',
    name: /birth|(^|_)(born|dob)($|_)/i,
    isOne: (value) => /^(19|20)\d\d-\d\d-\d\d/.test(value),
    weight: 0,
    nameWeight: 0.8,
    masks: [
      { rule: 'date_shift', days: 180, same_for_all: false },
      { rule: 'fixed', value: '1970-01-01' },
    ],
  },
  {
    kind: 'name',
    name: /(first|last|given|family|sur|full|middle|maiden|contact|person|owner)_?name|^name$|(^|_)holder$/i,
    isOne: (value) => /^\p{Lu}[\p{L}'’.-]+( [\p{Lu}\p{Ll}][\p{L}'’.-]*){0,3}$/u.test(value),
    weight: 0.2,
    nameWeight: 0.6,
    masks: [
      { rule: 'name', part: 'full' },
      { rule: 'hash', length: 8 },
    ],
  },
  {
    kind: 'postal_code',
    name: /(^|_)(zip|plz)(_?code)?($|_)|post(al)?_?code/i,
    isOne: (value) => /^[A-Z0-9][A-Z0-9 -]{2,9}$/i.test(value) && /\d/.test(value),
    weight: 0,
    nameWeight: 0.6,
    masks: [{ rule: 'keep_format', keep_first: 0, keep_last: 0 }],
  },
  {
    kind: 'address',
    name: /address|street|(^|_)addr/i,
    isOne: (value) => /^(?=.*\p{L}{3})(?=.*\d)[\p{L}\d\s.,'’/#-]{6,120}$/u.test(value) && /\s/.test(value),
    weight: 0.25,
    nameWeight: 0.6,
    masks: [
      { rule: 'address', part: 'full' },
      { rule: 'hash', length: 8 },
    ],
  },
  {
    kind: 'free_text',
    name: /note|comment|remark|message|(^|_)bio($|_)/i,
    isOne: (value) => value.length >= 40 && value.split(/\s+/).length >= 6,
    weight: 0.45,
    nameWeight: 0.4,
    masks: [{ rule: 'fixed', value: '' }],
  },
];
