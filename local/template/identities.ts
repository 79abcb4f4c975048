import { createHash } from 'node:crypto';
import { localAccount } from '../aws/account.ts';

export const { region, accountId: account } = localAccount;

/** Where a resource stands in the app: all that its local name and ARN derive from, so that both stay the same at every start. */
export type Place = {
  readonly stack: string;
  readonly logicalId: string;
  readonly type: string;
  /** Resolved properties; names given in the template win over derived ones. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** Of its stack, where the app names one. */
  readonly region?: string;
};

const nameProperty: Record<string, string> = {
  'AWS::S3::Bucket': 'BucketName',
  'AWS::DynamoDB::Table': 'TableName',
  'AWS::DynamoDB::GlobalTable': 'TableName',
  'AWS::Lambda::Function': 'FunctionName',
  'AWS::Lambda::LayerVersion': 'LayerName',
  'AWS::IAM::Role': 'RoleName',
  'AWS::SQS::Queue': 'QueueName',
  'AWS::SNS::Topic': 'TopicName',
  'AWS::Events::Rule': 'Name',
  'AWS::Events::EventBus': 'Name',
  'AWS::Scheduler::Schedule': 'Name',
  'AWS::Scheduler::ScheduleGroup': 'Name',
  'AWS::SecretsManager::Secret': 'Name',
  'AWS::Logs::LogGroup': 'LogGroupName',
  'AWS::KMS::Alias': 'AliasName',
  'AWS::ApiGateway::Model': 'Name',
  'AWS::ApiGateway::Stage': 'StageName',
  'AWS::Lambda::Alias': 'Name',
  'AWS::SES::ConfigurationSet': 'Name',
};

const opaque = new Set(
  ['RestApi', 'Resource', 'Deployment', 'Authorizer', 'RequestValidator', 'Method', 'UsagePlan', 'ApiKey'].map(
    (kind) => `AWS::ApiGateway::${kind}`,
  ),
);

export const stackId = (name: string): string => `arn:aws:cloudformation:${region}:${account}:stack/${name}/local`;

/** The resource's physical name or id. */
export function physicalName({ stack, logicalId, type, properties }: Place): string {
  const given = nameProperty[type] === undefined ? undefined : properties[nameProperty[type]];
  if (typeof given === 'string') return given;
  const digest = createHash('sha256').update(`${stack}/${logicalId}`).digest('hex');
  // By which the encryption library knows that another region may have the same key.
  if (type === 'AWS::KMS::Key' && properties.MultiRegion === true) return `mrk-${digest.slice(0, 32)}`;
  // Until a deployment numbers it; see versions.ts.
  if (type === 'AWS::Lambda::Version') return '1';
  if (type === 'AWS::KMS::Key')
    return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-4${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
  // A replica has the id of its primary.
  if (type === 'AWS::KMS::ReplicaKey') return String(properties.PrimaryKeyArn).split('/').at(-1) ?? '';
  if (opaque.has(type)) return digest.slice(0, 10);
  const name = `${stack}-${logicalId}`;
  if (type === 'AWS::S3::Bucket') return shorten(name.toLowerCase(), 63, digest);
  if (type === 'AWS::ApiGateway::Model') return name.replaceAll(/[^A-Za-z0-9]/g, '');
  return shorten(name, 64, digest);
}

/** What `Ref` yields: for most types the name, for some the ARN or a URL. */
export function reference(place: Place, name: string): string {
  switch (place.type) {
    case 'AWS::Lambda::Version':
    case 'AWS::Lambda::Alias':
    case 'AWS::Lambda::LayerVersion':
    case 'AWS::SNS::Topic':
    case 'AWS::SecretsManager::Secret':
      return attribute(place, name, 'Arn');
    case 'AWS::SQS::Queue':
      return `https://sqs.${region}.amazonaws.com/${account}/${name}`;
    default:
      return name;
  }
}

/** What `Fn::GetAtt` yields. An attribute that has no local meaning gets a value that says so. */
export function attribute(place: Place, name: string, attributeName: string): string {
  const simple: Record<string, string | undefined> = {
    Name: name,
    RepositoryName: name,
    KeyId: name,
    QueueName: name,
    TopicName: name,
    RestApiId: name,
    RootResourceId: `${name}-root`,
    Version: name,
    LatestVersionNumber: '1',
    QueueUrl: reference({ ...place, type: 'AWS::SQS::Queue' }, name),
    DomainName: `${name}.s3.amazonaws.com`,
    RegionalDomainName: `${name}.s3.${region}.amazonaws.com`,
  };
  if (attributeName === 'Arn' || attributeName.endsWith('Arn')) {
    const arn = arnOf(place, name);
    return attributeName === 'StreamArn' ? `${arn}/stream/2024-01-01T00:00:00.000` : arn;
  }
  return simple[attributeName] ?? `${place.logicalId}.${attributeName}`;
}

function arnOf({ type, properties, region: ofStack = region }: Place, name: string): string {
  const arn = (service: string, resource: string) => `arn:aws:${service}:${region}:${account}:${resource}`;
  const functionArn = () => {
    const target = String(properties.FunctionName);
    return target.startsWith('arn:') ? target : arn('lambda', `function:${target}`);
  };
  switch (type) {
    case 'AWS::S3::Bucket':
      return `arn:aws:s3:::${name}`;
    case 'AWS::DynamoDB::Table':
    case 'AWS::DynamoDB::GlobalTable':
      return arn('dynamodb', `table/${name}`);
    case 'AWS::KMS::Key':
      return arn('kms', `key/${name}`);
    case 'AWS::KMS::ReplicaKey':
      return `arn:aws:kms:${ofStack}:${account}:key/${name}`;
    case 'AWS::KMS::Alias':
      return arn('kms', name);
    case 'AWS::Lambda::Function':
      return arn('lambda', `function:${name}`);
    case 'AWS::Lambda::Version':
      return `${functionArn()}:${name}`;
    case 'AWS::Lambda::Alias':
      return `${functionArn()}:${name}`;
    case 'AWS::Lambda::LayerVersion':
      return arn('lambda', `layer:${name}:1`);
    case 'AWS::IAM::Role':
      return `arn:aws:iam::${account}:role/${name}`;
    case 'AWS::SQS::Queue':
      return arn('sqs', name);
    case 'AWS::SNS::Topic':
      return arn('sns', name);
    case 'AWS::Events::Rule':
      return arn('events', `rule/${name}`);
    case 'AWS::Events::EventBus':
      return arn('events', `event-bus/${name}`);
    case 'AWS::Scheduler::Schedule':
      return arn('scheduler', `schedule/${String(properties.GroupName ?? 'default')}/${name}`);
    case 'AWS::Scheduler::ScheduleGroup':
      return arn('scheduler', `schedule-group/${name}`);
    case 'AWS::SecretsManager::Secret':
      return arn('secretsmanager', `secret:${name}`);
    case 'AWS::Logs::LogGroup':
      return arn('logs', `log-group:${name}:*`);
    default:
      return arn(type.split('::')[1]?.toLowerCase() ?? 'local', name);
  }
}

function shorten(name: string, length: number, digest: string): string {
  return name.length <= length ? name : `${name.slice(0, length - 9)}-${digest.slice(0, 8)}`;
}
