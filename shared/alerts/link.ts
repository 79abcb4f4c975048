/** Stands for a database's id in the template of links. */
export const DATABASE_PLACE = '{database}';
/** What the page about all databases is called in place of an id. */
export const FLEET = 'fleet';

/** The template where there are no dashboards to link to. */
export const NO_LINK = 'none';

/** Makes the links of mails from a template such as `https://.../dashboards/dbms-{database}`. */
export function linksFrom(template: string): (database: string | null) => string | null {
  if (template === NO_LINK) return () => null;
  return (database) => template.replaceAll(DATABASE_PLACE, database ?? FLEET);
}
