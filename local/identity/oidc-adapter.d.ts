/** The provider's own in-memory store; made by hand, it comes without the warning meant for production. Its types leave it out. */
declare module 'oidc-provider/lib/adapters/memory_adapter.js' {
  import type { AdapterFactory } from 'oidc-provider';
  export function createMemoryAdapter(clockToleranceSeconds: number): AdapterFactory;
}
