import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import * as z from 'zod';

const unzip = promisify(gunzip);

/** CloudWatch Logs sends a megabyte at most; unpacked it may be many times that. */
const MOST_BYTES = 64 * 1_048_576;

const deliverySchema = z.object({ awslogs: z.object({ data: z.base64() }) });
const messageSchema = z.object({
  /** `CONTROL_MESSAGE`: CloudWatch tries whether somebody listens. */
  messageType: z.enum(['DATA_MESSAGE', 'CONTROL_MESSAGE']),
  logGroup: z.string(),
  logStream: z.string(),
  logEvents: z.array(z.object({ id: z.string(), timestamp: z.number(), message: z.string() })),
});

export interface LogEvents {
  logGroup: string;
  events: { id: string; at: Date; message: string }[];
}

/**
 * What CloudWatch Logs sends to a subscription.
 *
 * @throws ZodError or zlib's errors for anything else
 */
export async function readSubscription(event: unknown): Promise<LogEvents> {
  const { awslogs } = deliverySchema.parse(event);
  const bytes = await unzip(Buffer.from(awslogs.data, 'base64'), { maxOutputLength: MOST_BYTES });
  const { messageType, logGroup, logEvents } = messageSchema.parse(JSON.parse(bytes.toString('utf8')));
  const events = messageType === 'DATA_MESSAGE' ? logEvents : [];
  return { logGroup, events: events.map(({ id, timestamp, message }) => ({ id, at: new Date(timestamp), message })) };
}
