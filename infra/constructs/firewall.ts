import type * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as wafv2 from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import type { Deployment } from '../config/schema.ts';

export interface FirewallProps {
  readonly deployment: Deployment;
  readonly stage: apigateway.Stage;
}

/** Over which WAF counts the requests of an address; the shortest but one. */
const WINDOW_SECONDS = 60;
/** The least that WAF takes. */
const MIN_LIMIT = 10;

/** Groups of AWS's own rules. Not those that look for SQL or for large bodies: conditions on samples and masking are SQL. */
const ruleGroups = ['AWSManagedRulesAmazonIpReputationList', 'AWSManagedRulesKnownBadInputsRuleSet'];

/** The web ACL before the API, where the configuration asks for one. */
export class Firewall extends Construct {
  constructor(scope: Construct, id: string, { deployment, stage }: FirewallProps) {
    super(scope, id);
    const { firewall, requests_per_second, address_requests_per_minute } = deployment.api;
    if (firewall === 'none') return;
    // By default no single address takes more than half of what the stage lets through.
    const limit = address_requests_per_minute ?? Math.floor((requests_per_second * WINDOW_SECONDS) / 2);
    const webAclArn = firewall === 'managed' ? this.managed(deployment.prefix, Math.max(MIN_LIMIT, limit)) : firewall;
    new wafv2.CfnWebACLAssociation(this, 'Association', { resourceArn: stage.stageArn, webAclArn });
  }

  private managed(prefix: string, limit: number): string {
    const visibilityConfig = (metricName: string) => ({
      cloudWatchMetricsEnabled: true,
      metricName,
      // Samples hold headers, and so tokens.
      sampledRequestsEnabled: false,
    });
    const acl = new wafv2.CfnWebACL(this, 'WebAcl', {
      scope: 'REGIONAL',
      description: `Before the API of ${prefix}`,
      defaultAction: { allow: {} },
      visibilityConfig: visibilityConfig(`${prefix}-api`),
      rules: [
        {
          name: 'rate',
          priority: 0,
          action: { block: { customResponse: { responseCode: 429 } } },
          statement: {
            rateBasedStatement: { aggregateKeyType: 'IP', limit, evaluationWindowSec: WINDOW_SECONDS },
          },
          visibilityConfig: visibilityConfig(`${prefix}-api-rate`),
        },
        ...ruleGroups.map((name, index) => ({
          name,
          priority: index + 1,
          overrideAction: { none: {} },
          statement: { managedRuleGroupStatement: { vendorName: 'AWS', name } },
          visibilityConfig: visibilityConfig(`${prefix}-${name}`),
        })),
      ],
    });
    return acl.attrArn;
  }
}
