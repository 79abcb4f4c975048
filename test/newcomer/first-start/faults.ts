import { canMount } from '../../support/small-disk.ts';
import { busyPort } from './busy-port.ts';
import { fullDisk } from './full-disk.ts';

/** What can be wrong with the machine itself at a first start. */
export const machineFaults = [busyPort, ...((await canMount()) ? [fullDisk] : [])];
