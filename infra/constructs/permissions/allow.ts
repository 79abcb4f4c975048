import * as iam from 'aws-cdk-lib/aws-iam';

/** Lets do something with resources. */
export const allow = (actions: readonly string[], resources: readonly string[], conditions?: Record<string, unknown>) =>
  new iam.PolicyStatement({ actions: [...actions], resources: [...resources], ...(conditions ? { conditions } : {}) });
