import { readdirSync, readFileSync } from 'node:fs';

/** What a process has used so far. */
export interface Usage {
  cpuSeconds: number;
  /** Largest resident memory of one process, in bytes. */
  peakBytes: number;
}

const TICKS_PER_SECOND = 100;

/**
 * Processor time and peak memory of the local functions' processes whose name contains `functionName`, read from /proc.
 *
 * @returns null where there is no /proc
 */
export function functionUsage(functionName: string): Usage | null {
  let pids: string[];
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return null;
  }
  const usage: Usage = { cpuSeconds: 0, peakBytes: 0 };
  for (const pid of pids) {
    try {
      const name = /AWS_LAMBDA_FUNCTION_NAME=([^\0]*)/.exec(readFileSync(`/proc/${pid}/environ`, 'latin1'))?.[1];
      if (!name?.includes(functionName)) continue;
      const one = processUsage(pid);
      usage.cpuSeconds += one.cpuSeconds;
      usage.peakBytes = Math.max(usage.peakBytes, one.peakBytes);
    } catch {
      // Another user's process, or one that has just ended.
    }
  }
  return usage;
}

/** Processor time of a process of this machine so far; 0 where there is no /proc. */
export function processCpuSeconds(pid: number): number {
  try {
    return processUsage(String(pid)).cpuSeconds;
  } catch {
    return 0;
  }
}

function processUsage(pid: string): Usage {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return { cpuSeconds: ticks / TICKS_PER_SECOND, peakBytes: Number(peak ?? 0) * 1024 };
}
