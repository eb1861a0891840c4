/**
 * dms/revocation: revocations of others, kept until what they revoke has expired, and their way from node to node.
 *
 * Imports: nothing of dms.
 * State: learned revocations, in the store; budgets of senders, in memory and bounded.
 */
export { createRevocationExchange, type RevocationExchange } from './exchange.ts'
export { createKnownRevocations, type KnownRevocations } from './known.ts'
