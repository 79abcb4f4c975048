import { ArnFormat, Stack } from 'aws-cdk-lib';
import type * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as wafv2 from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';

export interface AddressLimitProps {
  readonly name: string;
  readonly stage: apigateway.Stage;
  readonly requestsPerMinute: number;
}

const MINUTE_SECONDS = 60;

/**
 * A web ACL that refuses an address which sends too much, before API Gateway counts the request in the throttle that all callers share: an anonymous
 * flood from few addresses keeps nobody else out. It looks at nothing of a request but its address.
 */
export class AddressLimit extends Construct {
  constructor(scope: Construct, id: string, { name, stage, requestsPerMinute }: AddressLimitProps) {
    super(scope, id);
    const visibility = (metricName: string) => ({
      cloudWatchMetricsEnabled: true,
      metricName,
      // Samples hold headers, and so tokens.
      sampledRequestsEnabled: false,
    });
    const acl = new wafv2.CfnWebACL(this, 'WebAcl', {
      name,
      scope: 'REGIONAL',
      defaultAction: { allow: {} },
      visibilityConfig: visibility(name),
      rules: [
        {
          name: 'one-address',
          priority: 0,
          action: { block: {} },
          statement: {
            rateBasedStatement: {
              aggregateKeyType: 'IP',
              limit: requestsPerMinute,
              evaluationWindowSec: MINUTE_SECONDS,
            },
          },
          visibilityConfig: visibility(`${name}-one-address`),
        },
      ],
    });
    new wafv2.CfnWebACLAssociation(this, 'Association', {
      webAclArn: acl.attrArn,
      resourceArn: Stack.of(this).formatArn({
        service: 'apigateway',
        account: '',
        resource: '/restapis',
        resourceName: `${stage.restApi.restApiId}/stages/${stage.stageName}`,
        arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
      }),
    });
  }
}
