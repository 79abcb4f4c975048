import type { MaskingRules } from '../../../shared/masking/plan/plan-masking.ts';
import { KEY, parseMask } from '../../masking/support/mask-value.ts';
import type { ScratchDatabase } from '../../support/servers.ts';

type Rules = Record<string, Record<string, { rule: string; [option: string]: unknown }>>;

/** Rules by `schema.table` and column. */
export const rulesOf = (tables: Rules): MaskingRules => ({
  version: 3,
  maskingKey: KEY,
  rules: Object.entries(tables).flatMap(([name, columns]) => {
    const [schema = '', table = ''] = name.split('.');
    return Object.entries(columns).map(([column, mask]) => ({ schema, table, column, mask: parseMask(mask) }));
  }),
});

const id = { rule: 'keep_format' };
const person = { contact_name: { rule: 'name' }, address: { rule: 'address', part: 'street' } };
const lines = { phone: { rule: 'phone' }, fax: { rule: 'phone', keep_first: 0 } };
const postal = { rule: 'hash', length: 8 };

export const northwindRules = rulesOf({
  'public.customers': { customer_id: id, company_name: { rule: 'hash' }, postal_code: postal, ...person, ...lines },
  'public.customer_customer_demo': { customer_id: id },
  // Some of these keys are postal codes of employees.
  'public.territories': { territory_id: { rule: 'hash' } },
  'public.employee_territories': { territory_id: { rule: 'hash' } },
  'public.orders': {
    customer_id: id,
    ship_name: { rule: 'hash' },
    ship_address: { rule: 'address', part: 'street' },
    ship_postal_code: postal,
    freight: { rule: 'shuffle' },
  },
  'public.employees': {
    last_name: { rule: 'name', part: 'last' },
    first_name: { rule: 'name', part: 'first' },
    birth_date: { rule: 'date_shift', days: 90 },
    address: { rule: 'address', part: 'street' },
    postal_code: postal,
    home_phone: { rule: 'phone', keep_first: 0 },
    notes: { rule: 'fixed', value: '' },
    photo: { rule: 'null' },
    photo_path: { rule: 'null' },
  },
  'public.suppliers': { postal_code: postal, ...person, ...lines },
  'public.shippers': { phone: { rule: 'partial', last: 2 } },
});

export const everythingRules = rulesOf({
  'structures.generated': { label: { rule: 'hash' } },
  'structures.by_range': { note: { rule: 'name' } },
  'structures.unlogged': { note: { rule: 'hash' } },
  'keys.indexed': { t: { rule: 'hash' }, tags: { rule: 'fixed', value: '{}' }, doc: { rule: 'null' } },
  'keys.customers': { code: { rule: 'hash' }, region: { rule: 'null' } },
  'values.text': { v: { rule: 'keep_format' }, vs: { rule: 'null' } },
  'values.bytea': { v: { rule: 'hash' }, vs: { rule: 'null' } },
  'values.uuid': { v: { rule: 'hash' }, vs: { rule: 'null' } },
  'values.varchar(5)': { v: { rule: 'partial' } },
  'values.numeric(5,2)': { v: { rule: 'number_noise' } },
  'values.timestamptz': { v: { rule: 'date_shift' } },
  'values.date': { v: { rule: 'date_shift', same_for_all: true } },
});

export async function rowsOf<Row extends object>(database: ScratchDatabase, sql: string): Promise<Row[]> {
  const client = await database.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** How many constraints of each kind there are, and whether they are valid. */
export const CONSTRAINTS = `
SELECT k.contype, k.convalidated, count(*)::int AS count
  FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
 WHERE n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema' AND k.contype IN ('p', 'u', 'f', 'c', 'x')
 GROUP BY 1, 2 ORDER BY 1, 2`;
