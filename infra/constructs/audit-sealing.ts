import { Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Deployment } from '../config/schema.ts';
import type { StorageStack } from '../stacks/storage.ts';
import { configurationLayer, layerPaths } from './layers.ts';
import { NodeFunction } from './node-function.ts';
import { sealAudit } from './permissions/audit.ts';

export interface AuditSealingProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
  readonly storage: StorageStack;
  /** Receives what could not be started. */
  readonly deadLetterQueue: sqs.Queue;
}

/** How often it is looked whether a trail is to be sealed; see shared/security/audit/seal-chain.ts. */
const EVERY = Duration.minutes(5);

/**
 * The function that archives the audit trails and signs where they end, and the rule that runs it. It alone may sign, and it writes no
 * record.
 */
export class AuditSealing extends Construct {
  constructor(scope: Construct, id: string, { deployment, buildFolder, storage, deadLetterQueue }: AuditSealingProps) {
    super(scope, id);
    const { auditTable, auditBucket, auditKey, dataKey, key } = storage;
    const { fn } = new NodeFunction(this, 'SealAudit', {
      name: 'seal-audit',
      description: 'Archives the audit trails and signs where they end',
      deployment,
      buildFolder,
      timeout: Duration.minutes(15),
      memoryMegabytes: 512,
      isTraced: false,
      layers: [configurationLayer(this, buildFolder, deployment)],
      environment: {
        configurationPath: layerPaths.configuration,
        auditTable: auditTable.tableName,
        auditKeyArn: auditKey.keyArn,
        auditBucket: auditBucket.bucketName,
        archiveKeyArn: dataKey.keyArn,
      },
      statements: sealAudit(auditTable, auditBucket, { dataKey, backupKey: key }, auditKey),
    });
    // The next run does again what one that failed has not done.
    fn.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: EVERY });
    new events.Rule(this, 'Often', {
      description: 'Archives and seals of the audit trails',
      schedule: events.Schedule.rate(EVERY),
      targets: [new targets.LambdaFunction(fn, { deadLetterQueue, retryAttempts: 0, maxEventAge: EVERY })],
    });
  }
}
