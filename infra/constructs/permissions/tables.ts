import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import type * as iam from 'aws-cdk-lib/aws-iam';
import { allow, throughService } from './allow.ts';

/**
 * Statements about a table, and the use of the key that encrypts it, which DynamoDB asks for in the name of the caller. By way of DynamoDB
 * alone: what of the table may be read and written, the statements say.
 */
export function onTable(table: dynamodb.Table, ...statements: iam.PolicyStatement[]): iam.PolicyStatement[] {
  const { encryptionKey: key } = table;
  if (statements.length === 0 || key === undefined) return statements;
  const use = allow(
    ['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey', 'kms:ReEncryptFrom', 'kms:ReEncryptTo'],
    [key.keyArn],
    { StringEquals: throughService('dynamodb') },
  );
  return [...statements, use];
}
