import type { RuntimeConfiguration } from '../../configuration/runtime.ts';
import type { SecuritySettings } from '../../contract/schemas/security-settings.ts';

/** Where no identity provider is configured: twelve hours, as its default says. */
const DEFAULT_SESSION_SECONDS = 43_200;

/** What the deployment's configuration says, for as long as nobody has set anything. */
export function configuredSettings({
  audit,
  identity,
  allowed_address_ranges,
  requests_per_minute,
  trusted_environments,
}: RuntimeConfiguration): SecuritySettings {
  return {
    enable_audit: audit.enabled,
    max_audit_retention_days: audit.retention_days,
    session_max_age_minutes: Math.ceil((identity?.session_max_age_seconds ?? DEFAULT_SESSION_SECONDS) / 60),
    allowed_address_ranges,
    requests_per_minute,
    trusted_environments,
  };
}
