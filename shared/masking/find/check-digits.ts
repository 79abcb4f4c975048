/** Luhn's check (ISO/IEC 7812-1, annex B), as of card numbers. @param digits - nothing else */
export function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = Number(digits[digits.length - 1 - index]);
    const twice = digit * 2;
    sum += index % 2 === 0 ? digit : twice > 9 ? twice - 9 : twice;
  }
  return sum % 10 === 0;
}

/** The remainder by 97 of a number of any length. */
function modulo97(digits: string): number {
  let remainder = 0;
  for (const digit of digits) remainder = (remainder * 10 + Number(digit)) % 97;
  return remainder;
}

/** ISO 13616: country, check digits and account, with or without blanks. */
export function isIban(text: string): boolean {
  const plain = text.replaceAll(' ', '').toUpperCase();
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(plain)) return false;
  const moved = plain.slice(4) + plain.slice(0, 4);
  return modulo97(moved.replace(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55))) === 1;
}

/** CPF: two check digits, each by weights that count down. */
function isBrazilian(text: string): boolean {
  const digits = text.replace(/[.-]/g, '');
  if (!/^\d{11}$/.test(digits) || /^(\d)\1*$/.test(digits)) return false;
  return [9, 10].every((count) => {
    let sum = 0;
    for (let index = 0; index < count; index++) sum += Number(digits[index]) * (count + 1 - index);
    return ((sum * 10) % 11) % 10 === Number(digits[count]);
  });
}

const SPANISH_LETTERS = 'TRWAGMYFPDXBNJZSQVHLCKE';

/** Numbers of persons by country: those that say by their form or check digits what they are. */
const NATIONAL_IDS: readonly ((text: string) => boolean)[] = [
  // United States: Social Security number, with its lines.
  (text) => /^(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}$/.test(text),
  // United Kingdom: National Insurance number.
  (text) => /^(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]$/.test(text),
  // Spain: DNI and NIE.
  (text) => {
    const [, first = '', rest = '', letter] = /^([XYZ]?)(\d{7,8})-?([A-Z])$/.exec(text) ?? [];
    const number = `${first ? 'XYZ'.indexOf(first) : ''}${rest}`;
    return number.length === 8 && SPANISH_LETTERS[Number(number) % 23] === letter;
  },
  // France: NIR, with its key.
  (text) => {
    const plain = text.replaceAll(' ', '');
    return /^[12]\d{14}$/.test(plain) && 97 - modulo97(plain.slice(0, 13)) === Number(plain.slice(13));
  },
  isBrazilian,
];

export const isNationalId = (text: string): boolean => NATIONAL_IDS.some((isOne) => isOne(text));
