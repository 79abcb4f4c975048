import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { type DoctorReport, doctorSchema } from '../contract/schemas/doctor.ts';
import { pack, unpack } from '../state/packed.ts';
import type { StateTable } from '../state/table.ts';

const keyOf = (database: string) => ({ pk: `DOCTOR#${database}`, sk: 'DOCTOR' });

/** Keeps a report in place of the one before. */
export async function writeReport(table: StateTable, report: DoctorReport): Promise<void> {
  const Item = { ...keyOf(report.database), at: report.at, report: pack(report) };
  await table.documents.send(new PutCommand({ TableName: table.name, Item }));
}

/** @returns the latest report; null before the first */
export async function readReport(table: StateTable, database: string): Promise<DoctorReport | null> {
  const { Item } = await table.documents.send(new GetCommand({ TableName: table.name, Key: keyOf(database) }));
  if (!Item) return null;
  // One of an earlier version that does not fit is as none.
  return doctorSchema.safeParse(unpack(Item.report)).data ?? null;
}
