import * as z from 'zod';
import { pageQuerySchema } from './common.ts';

export const downloadFormatSchema = z.enum(['sql.zst', 'sql.gz']).meta({
  description:
    'How the script is compressed: `sql.zst` with zstd, `sql.gz` with gzip, which is larger and slower to make.',
});

/** The file that a job has made. */
export const downloadFileSchema = z
  .object({
    format: downloadFormatSchema,
    bytes: z.int().meta({ description: 'Size of the file.' }),
    expires_at: z.iso.datetime().meta({ description: 'When the file is removed.' }),
  })
  .meta({ id: 'DownloadFile', description: 'A script that psql loads, made of a backup and kept for a day.' });

const { limit, cursor } = pageQuerySchema.shape;

export const makeDownloadQuerySchema = z.strictObject({ format: downloadFormatSchema.default('sql.zst') });

export const downloadQuerySchema = z.strictObject({
  format: z
    .enum([...downloadFormatSchema.options, 'objects'])
    .default('sql.zst')
    .meta({
      description: '`objects`: the encrypted objects as they are stored. Otherwise the script, by its compression.',
    }),
  limit: limit.meta({ description: 'Of `objects`: how many a page holds at most.' }),
  cursor: cursor.meta({ description: 'Of `objects`: `next_cursor` of the page before; without it, the first page.' }),
});

const address = {
  url: z.url().meta({
    description: 'Serves a GET without any token until `url_expires_at`: whoever has it can read. Keep it as a secret.',
  }),
  url_expires_at: z.iso.datetime(),
};

const readyFileSchema = downloadFileSchema.extend(address).meta({
  id: 'DownloadAddress',
  description: 'Where the script of a backup can be fetched.',
});

const storedObjectSchema = z
  .object({
    key: z.string(),
    bytes: z.int().nullable().meta({ description: 'null for the manifest, which cannot know its own size.' }),
    sha256: z.string().nullable().meta({ description: 'Of the stored bytes, hexadecimal; null for the manifest.' }),
    ...address,
  })
  .meta({ id: 'StoredObject', description: 'An encrypted object of a backup.' });

const objectsSchema = z
  .object({
    format: z.literal('objects'),
    items: z.array(storedObjectSchema),
    next_cursor: z.string().nullable().meta({ description: 'Ask for the next page with it; null on the last page.' }),
  })
  .meta({ id: 'StoredObjects', description: 'A page of the encrypted objects of a backup; the manifest comes first.' });

export const downloadSchema = z.discriminatedUnion('format', [readyFileSchema, objectsSchema]);

export type DownloadFormat = z.output<typeof downloadFormatSchema>;
export type DownloadFile = z.output<typeof downloadFileSchema>;
export type StoredObjectsPage = z.output<typeof objectsSchema>;
