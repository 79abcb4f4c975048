import * as z from 'zod';
import { jobErrorSchema } from '../../contract/schemas/job.ts';
import { trackSchema } from '../../state/exports.ts';

/** What the function that holds a snapshot is invoked with. */
export const holderEventSchema = z.object({ export_id: z.string().min(1), track: trackSchema });

/** What the function that exports a share is invoked with. */
export const laneEventSchema = z.object({
  export_id: z.string().min(1),
  round: z.int().min(1),
  lane: z.int().min(0),
});

/** `relay`: to be invoked again; `ended`: the snapshot is not needed or not there any more. */
export const holderAnswerSchema = z.object({ status: z.enum(['relay', 'ended']) });

/** How many chunks of the share are left, or why no more could be exported. What is stored is kept either way. */
export const laneAnswerSchema = z.discriminatedUnion('status', [
  z.object({ status: z.literal('exported'), left: z.number() }),
  z.object({ status: z.literal('failed'), error: jobErrorSchema }),
]);

export type HolderEvent = z.output<typeof holderEventSchema>;
export type HolderAnswer = z.output<typeof holderAnswerSchema>;
export type LaneEvent = z.output<typeof laneEventSchema>;
export type LaneAnswer = z.output<typeof laneAnswerSchema>;
