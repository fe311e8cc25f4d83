import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent, type AgentOptions } from 'node:https';
import { HttpProxyAgent, HttpsProxyAgent } from 'hpagent';

/** Pools of connections, for got. */
export interface HttpAgents {
  http: HttpAgent;
  https: HttpsAgent;
}

/** Pools of connections to wherever it goes, by a proxy where there is one. */
export function httpAgents(options: {
  keepAlive: boolean;
  maxSockets: number;
  tls: Pick<AgentOptions, 'rejectUnauthorized' | 'ca' | 'cert' | 'key'>;
  /** Its URL. */
  proxy: string | null;
}): HttpAgents {
  const { tls, proxy, ...pool } = options;
  if (proxy === null) return { http: new HttpAgent(pool), https: new HttpsAgent({ ...pool, ...tls }) };
  return {
    http: new HttpProxyAgent({ ...pool, proxy }),
    https: new HttpsProxyAgent({ ...pool, ...tls, proxy }),
  };
}

/** Closes the connections that are kept for later. */
export function closeAgents({ http, https }: HttpAgents): void {
  http.destroy();
  https.destroy();
}
