import * as z from 'zod';

/** One object of a database's schema, as pg_dump lists it, with the SQL that creates it. */
export const schemaEntrySchema = z.object({
  /** pg_dump's own number; `depends_on` refers to it. */
  dump_id: z.int(),
  /** OID of the system catalog that holds the object (1259 is pg_class); 0 for what has no row of its own. */
  class_id: z.int(),
  oid: z.int(),
  depends_on: z.array(z.int()),
  section: z.enum(['pre-data', 'post-data']),
  /** pg_dump's name of the kind: `TABLE`, `INDEX`, `FK CONSTRAINT`, `COMMENT`, `ACL`, ... */
  type: z.string().min(1),
  schema: z.string().nullable(),
  /** pg_dump's tag: the object's name, with its table or arguments where the name alone would not tell. */
  name: z.string(),
  owner: z.string().nullable(),
  /** One or more statements that stand on their own: they need the preamble and what the entry depends on, nothing else. */
  sql: z.string(),
});

/** A schema as it is stored: the session's settings, then the entries in an order in which they can be created. */
export const schemaDumpSchema = z.object({
  preamble: z.string(),
  entries: z.array(schemaEntrySchema),
});

export type SchemaEntry = z.output<typeof schemaEntrySchema>;
export type SchemaDump = z.output<typeof schemaDumpSchema>;
export type SchemaSection = SchemaEntry['section'];
