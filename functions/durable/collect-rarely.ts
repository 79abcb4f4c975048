import { setFlagsFromString } from 'node:v8';

/**
 * Rows pass as buffers, whose memory lies outside V8's heap. Their number makes V8 mark that small heap over and over in
 * increments, on several threads, which took a third of a restore's processor time. Marked in one go when it is needed, it
 * takes some 20 ms now and then, and nobody waits for an answer of these functions.
 */
setFlagsFromString('--no-incremental-marking');
