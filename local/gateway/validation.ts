import type { ValidateFunction } from 'ajv';
import AjvDraft04 from 'ajv-draft-04';
import type { ApiMethod, RestApi } from '../template/api.ts';
import { type GatewayRequest, header } from './request.ts';
import { GatewayError } from './responses.ts';

export type RequestValidator = (
  request: GatewayRequest,
  method: ApiMethod,
  pathParameters: Readonly<Record<string, string>> | null,
) => void;

/**
 * Checks requests by the API's models and validators, with the answers API Gateway gives.
 *
 * @throws Error when a model is no JSON schema of draft 4: API Gateway would refuse it on deployment.
 */
export function createRequestValidator(api: RestApi): RequestValidator {
  const ajv = new AjvDraft04.default({ strict: false, allErrors: true, validateFormats: false });
  const modelAddress = (name: string) => `https://apigateway.amazonaws.com/restapis/${api.id}/models/${name}`;
  for (const [name, schema] of Object.entries(api.models))
    ajv.addSchema({ ...schema, id: modelAddress(name) }, modelAddress(name));
  const compiled = new Map(
    Object.keys(api.models).map((name) => [name, ajv.getSchema(modelAddress(name)) as ValidateFunction]),
  );

  return (request, method, pathParameters) => {
    if (method.validateParameters) checkParameters(request, method, pathParameters);
    if (!method.validateBody) return;
    const mediaType = (header(request, 'content-type') ?? 'application/json').split(';')[0]?.trim().toLowerCase() ?? '';
    const model = Object.entries(method.requestModels).find(([type]) => type.toLowerCase() === mediaType)?.[1];
    const validate = model === undefined ? undefined : compiled.get(model);
    if (!validate) return;
    const body = parse(request.body.toString());
    if (!validate(body)) {
      const found = (validate.errors ?? []).map(({ instancePath, message, params }) =>
        `${instancePath} ${message}${extra(params)}`.trim(),
      );
      throw new GatewayError('BAD_REQUEST_BODY', undefined, `[${found.join(', ')}]`);
    }
  };
}

function checkParameters(
  request: GatewayRequest,
  { requiredParameters }: ApiMethod,
  pathParameters: Readonly<Record<string, string>> | null,
): void {
  const missing = requiredParameters
    .map((parameter) => /^method\.request\.(querystring|header|path)\.(.+)$/.exec(parameter))
    .filter((found) => found !== null)
    .filter(([, kind, name = '']) => {
      if (kind === 'querystring') return !request.query.get(name);
      return kind === 'header' ? !header(request, name) : !pathParameters?.[name];
    })
    .map(([, , name]) => name);
  if (missing.length > 0)
    throw new GatewayError('BAD_REQUEST_PARAMETERS', `Missing required request parameters: [${missing.join(', ')}]`);
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    throw new GatewayError('BAD_REQUEST_BODY', undefined, '[the body is not JSON]');
  }
}

function extra(params: Record<string, unknown>): string {
  const property: unknown = params.additionalProperty;
  return typeof property === 'string' ? `: ${property}` : '';
}
