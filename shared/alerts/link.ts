/** Stands for a database's id in the template of links. */
export const DATABASE_PLACE = '{database}';
/** What the page about all databases is called in place of an id. */
export const FLEET = 'fleet';

/** Makes the links of mails from a template such as `https://.../dashboards/dbms-{database}`. */
export function linksFrom(template: string): (database: string | null) => string {
  return (database) => template.replaceAll(DATABASE_PLACE, database ?? FLEET);
}
