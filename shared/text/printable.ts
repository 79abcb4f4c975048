/** Of names and reasons that come from outside. */
const MAX_SHOWN_CHARACTERS = 256;

/**
 * A text of somebody else's on one line that shows what it holds: control and format characters (line ends, escape sequences, marks that
 * turn the direction of writing) become `\u{…}`, and what goes beyond `max` characters is cut off.
 */
export function printable(text: string, max: number = MAX_SHOWN_CHARACTERS): string {
  const shown = text.toWellFormed().slice(0, max).toWellFormed();
  const escaped = shown.replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
  return text.length > max ? `${escaped}…` : escaped;
}
