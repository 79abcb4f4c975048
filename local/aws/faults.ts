import { AwsError } from './errors.ts';

export type ServiceName = 's3' | 'dynamodb' | 'kms' | 'ses' | 'cloudwatch' | 'secretsmanager' | 'scheduler' | 'rds';

/** Makes the next calls of a service fail as AWS would. */
export type Fault = {
  service: ServiceName;
  /** The API operation, e.g. `UploadPart`; without it, every operation of the service. */
  operation?: string;
  /** HTTP status, e.g. 503. */
  status: number;
  /** Error code, e.g. `SlowDown`, `ThrottlingException`, `AccessDeniedException`. */
  code: string;
  message?: string;
  /** How many calls let pass before the first one fails; by default none. */
  after?: number;
  /** How many calls fail; `Infinity` for all until the faults are cleared. */
  times: number;
};

/** The faults of the services that run in one thread. */
export type FaultList = {
  add(fault: Fault): void;
  clear(): void;
  /** @throws AwsError when a fault is set for this call; the call then counts as one of its times. */
  check(service: ServiceName, operation: string): void;
};

export function createFaultList(): FaultList {
  let faults: Fault[] = [];
  return {
    add: (fault) => {
      faults.push({ ...fault });
    },
    clear: () => {
      faults = [];
    },
    check: (service, operation) => {
      for (const fault of faults) {
        if (fault.service !== service || (fault.operation ?? operation) !== operation || fault.times <= 0) continue;
        if (fault.after !== undefined && fault.after > 0) {
          fault.after -= 1;
          continue;
        }
        fault.times -= 1;
        throw new AwsError(fault.code, fault.message ?? `${fault.code}, as a test asked for`, fault.status);
      }
    },
  };
}
