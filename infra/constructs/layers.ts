import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { assemblePostgresTools } from '../../layers/postgres-tools/assemble.ts';
import { type Deployment, runtimePart } from '../config/schema.ts';

const CONFIGURATION_FILE = 'configuration/runtime.json';

/** Where functions find what the layers hold. */
export const layerPaths = {
  configuration: `/opt/${CONFIGURATION_FILE}`,
  postgresTools: '/opt/nodejs/node_modules',
} as const;

/** The layer with what the functions read of the deployment's configuration. It names secrets, and holds none. */
export function configurationLayer(scope: Construct, buildFolder: string, deployment: Deployment): lambda.LayerVersion {
  const folder = join(buildFolder, 'runtime-configuration');
  mkdirSync(join(folder, 'configuration'), { recursive: true });
  writeFileSync(join(folder, CONFIGURATION_FILE), JSON.stringify(runtimePart(deployment), null, 2));
  return layer(scope, 'RuntimeConfiguration', folder, 'Configuration of the functions');
}

/** The layer with the WebAssembly pg_dump and the PostgreSQL parser. */
export function postgresToolsLayer(scope: Construct, buildFolder: string): lambda.LayerVersion {
  const folder = join(buildFolder, 'postgres-tools');
  assemblePostgresTools(folder);
  return layer(scope, 'PostgresTools', folder, 'pg_dump and the PostgreSQL parser as WebAssembly');
}

function layer(scope: Construct, id: string, folder: string, description: string): lambda.LayerVersion {
  return new lambda.LayerVersion(scope, id, {
    code: lambda.Code.fromAsset(folder),
    description,
    compatibleRuntimes: [lambda.Runtime.NODEJS_24_X],
    compatibleArchitectures: [lambda.Architecture.ARM_64],
  });
}
