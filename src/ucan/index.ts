/**
 * ucan: capability tokens, their chains, and the contexts that decide who may do what.
 *
 * Imports: base, db, identity.
 * State: none in module scope; a context holds its anchors, its temporary grants and a bounded cache of good chains.
 */
export { implies, MAX_CAPABILITY_LENGTH, parseCapability } from './capability.ts'
export { describeNanos, isExpired, type Revocations, revocationKey, type SignatureVerifier, verifyToken } from './chain.ts'
export { type ContextOptions, createContext } from './context.ts'
export { type ContextFileContent, parseContextFile, readableEntries, signContextFile } from './context-file.ts'
export type { ContextFiles } from './context-files.ts'
export { type ContextStoreOptions, createContextStore } from './context-store.ts'
export { type ContextWatch, type ContextWatchOptions, createContextWatch } from './context-watch.ts'
export {
  BadContextFileError,
  BadContextNameError,
  BadGrantError,
  ContextBusyError,
  ContextChangedError,
  ContextExistsError,
  ContextFullError,
  ContextNotFoundError,
  ContextWritableError,
  NotDelegableError,
  NotIssuerError,
  WrongKeyError
} from './errors.ts'
export { parseExpiry } from './expiry.ts'
export {
  type Admission,
  type CallExplanation,
  type CallQuestion,
  type Carrier,
  type Culprit,
  explainCall,
  type Party,
  type PresentedToken
} from './explain.ts'
export { firstProblem, type InspectedLink, type Inspection, inspectToken } from './inspect.ts'
export { createIssuedRecord, type IssuedRecord, type IssuedToken } from './issued.ts'
export type { Problem } from './reasons.ts'
export {
  decodeToken,
  decodeTokenList,
  encodeToken,
  encodeTokenList,
  linksOf,
  MAX_LINKS,
  MAX_TOKEN_LIST_BYTES,
  MAX_TOKENS,
  parseToken,
  parseTokenList,
  parseTokens,
  sameToken,
  signedBytes
} from './token.ts'
export type {
  Anchor,
  AnchorCounts,
  Anchors,
  Authorization,
  Capability,
  CapabilityContext,
  Claim,
  ContextFile,
  ContextKey,
  ContextNotice,
  ContextReload,
  ContextSeal,
  ContextStore,
  ContextView,
  Denial,
  GrantRequest,
  ParseTokens,
  PresentBroadcastRequest,
  PresentRequest,
  Token,
  TokenAction
} from './types.ts'
