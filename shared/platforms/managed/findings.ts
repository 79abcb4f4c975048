import type { PlacedDatabase, ServerFinding } from '../platform.ts';
import type { ServerDescription } from './describe.ts';
import { roleOfAddress } from './roles-of-servers.ts';

/** What of a configured database does not fit what AWS says of its server. */
export function findingsOf(database: PlacedDatabase, server: ServerDescription): ServerFinding[] {
  return [...unsupported(server), ...uncertainAddress(database, server), ...otherResource(database, server)];
}

function unsupported({ id, unsupported: what }: ServerDescription): ServerFinding[] {
  if (what === null) return [];
  return [
    {
      code: 'server_unsupported',
      blocks: 'everything',
      message: `The cluster ${id} is of ${what}, which this system does not work with`,
      nextStep: 'Take the database out of the configuration; use snapshots of the cluster there.',
    },
  ];
}

/** A name of one's own may lead to an endpoint that stands for several servers. */
function uncertainAddress(database: PlacedDatabase, server: ServerDescription): ServerFinding[] {
  const role = roleOfAddress(database, server);
  if (role.is !== 'readers' && role.is !== 'several') return [];
  const host = database.direct?.host ?? database.host;
  const endpoint = role.is === 'readers' ? 'the reader endpoint' : 'a custom endpoint';
  return [
    {
      code: 'server_needed',
      blocks: 'jobs',
      message: `${host} is ${endpoint} of the cluster ${server.id}: two connections may lead to two instances, which share no snapshot`,
      nextStep: `Name the cluster endpoint${server.endpoints.writer === null ? '' : ` ${server.endpoints.writer}`} as \`direct: { host: "..." }\` in the configuration of this database.`,
    },
  ];
}

/** A restored copy, and the server that a blue/green deployment puts in place, have other resource ids: policies name the old one. */
function otherResource({ login, direct }: PlacedDatabase, server: ServerDescription): ServerFinding[] {
  if (login.type !== 'iam') return [];
  const [setting, configured] = direct?.resource_id
    ? ['direct.resource_id', direct.resource_id]
    : ['login.resource_id', login.resource_id];
  // That of a proxy in front of the server.
  if (configured.startsWith('prx-')) return [];
  const actual = server.isCluster ? server.resourceId : (server.instances[0]?.resourceId ?? server.resourceId);
  if (actual === null || actual === configured) return [];
  return [
    {
      code: 'resource_changed',
      blocks: 'nothing',
      message: `${server.id} has the resource id ${actual}; the configuration names ${configured}, so that the functions may not log in with IAM. A restore and a blue/green switchover give a server a new id`,
      nextStep: `Set ${setting} to "${actual}" in the configuration of this database and deploy.`,
    },
  ];
}
