export { startGateway } from './gateway.ts';
export type { Gateway, GatewayOptions } from './gateway.ts';
export type { GatewayTarget, LeaveOptions } from './target.ts';
export { parseJson } from './strict-json.ts';
