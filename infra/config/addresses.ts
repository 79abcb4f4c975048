import type { Database } from '../../shared/configuration/runtime.ts';
import { addressProblem } from '../../shared/postgres/refuse-address.ts';

type Addressed = Pick<Database, 'host' | 'port' | 'tls' | 'login' | 'direct'>;

interface Problem {
  /** From the database on. */
  path: string[];
  message: string;
}

const isProxy = (resourceId: string | undefined): boolean => resourceId?.startsWith('prx-') === true;

/** What is wrong with where a database is said to be: addresses that cannot be used, and logins that belong to a proxy. */
export function addressProblems({ host, port, tls, login, direct }: Addressed): Problem[] {
  const addresses = [
    { path: ['host'], authority: ['tls', 'ca'], host, port, tls },
    ...(direct
      ? [{ ...direct, path: ['direct', 'host'], authority: ['direct', 'tls', 'ca'], tls: direct.tls ?? tls }]
      : []),
  ];
  const problems: Problem[] = addresses.flatMap(({ path, authority, ...address }) => {
    const problem = addressProblem(address);
    if (!problem) return [];
    const at = problem.code === 'authority_unknown' ? authority : path;
    return [{ path: at, message: `${problem.message} ${problem.nextStep}` }];
  });
  const ofServer = ['direct', 'resource_id'];
  if (isProxy(direct?.resource_id))
    problems.push({
      path: ofServer,
      message: 'is that of a proxy: it must name the server itself, as db-... or cluster-...',
    });
  if (login.type !== 'iam') return problems;
  if (isProxy(login.resource_id) && !direct) {
    problems.push({
      path: ['login', 'resource_id'],
      message:
        'is that of a proxy, through which monitoring alone works: name the server itself as well, as direct: { host, resource_id }',
    });
  }
  if (isProxy(login.resource_id) && direct && !direct.resource_id)
    problems.push({
      path: ofServer,
      message: 'must name the server: the resource id of the login is that of its proxy',
    });
  return problems;
}
