import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConnectionTarget, type Credentials, connect } from '../../shared/postgres/connect.ts';
import { dumpSchema } from '../../shared/postgres/pg-dump/dump-schema.ts';
import { postgresToolsPath } from '../support/postgres-tools.ts';
import { clientCertificate, clientKey, otherAuthority } from './support/client-certificate.ts';
import { certificate as ca } from './support/localhost-certificate.ts';
import { embeddedBinaries } from '../support/postgres-binaries.ts';
import { type OwnServer, ownServer, PASSWORD } from './support/own-server.ts';

type Tls = ConnectionTarget['tls'];

/** With TLS, and one without. Both know a role of the name of the user who runs this, who may come through a socket. */
let server: OwnServer;
let plain: OwnServer;
let sockets: string;
const me = userInfo().username;
