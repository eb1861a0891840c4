import type { AbortOptions, Brand, Issue, Millis, Result } from '../base/index.ts'
import type { ActorId, Did, KeyPair, Signer } from '../identity/index.ts'

/** A capability path such as `/dms/node/peers/ping`; `/` is everything (A §1.4, §7.4). */
export type Capability = Brand<`/${string}`, 'Capability'>

/** What a token is for (A §7.1). */
export type TokenAction = 'delegate' | 'invoke' | 'broadcast' | 'revoke'

/**
 * A parsed token; its members re-encode to exactly the bytes that were signed (A §7.2).
 *
 * `issuer`, `subject` and `audience` are DID texts, `''` for the empty DID. `topics` is `[]` when absent.
 * `capabilities` and `nonce` keep the difference between `null` and empty.
 */
export interface Token {
  readonly action: string
  readonly issuer: string
  readonly subject: string
  readonly audience: string
  readonly topics: readonly string[]
  readonly capabilities: readonly string[] | null
  readonly nonce: Uint8Array | null
  /** UNIX nanoseconds. */
  readonly expiresAt: bigint
  /** 0 = unlimited. */
  readonly depth: bigint
  readonly chain?: Token
  readonly signature: Uint8Array
}

/** Why a request is not allowed; a value that explains itself. */
export interface Denial {
  readonly reason:
    | 'no-capabilities'
    | 'no-tokens'
    | 'no-chain'
    | 'expired'
    | 'revoked'
    | 'bad-signature'
    | 'bad-token'
    | 'too-deep'
    | 'broken-chain'
    | 'wrong-subject'
    | 'wrong-audience'
    | 'wrong-action'
    | 'wrong-topic'
    | 'wrong-capability'
    | 'not-anchored'
  /** One sentence for people, with the values. */
  readonly message: string
  /**
   * Whether some token of the request is valid and anchored here, though not for this behaviour: such a caller may be told
   * why, a stranger gets silence (B §11.2, 15).
   */
  readonly known: boolean
  /** The issuer of the offending link, where one is to blame. */
  readonly issuer?: string
}

/** What somebody wants to do here. */
export interface Claim {
  /** The DID of the caller's actor id (the envelope's `from.id`). */
  readonly subject: Did
  /** The DID of the addressed actor's id. */
  readonly audience: Did
  /** Any one of them is enough. */
  readonly capabilities: readonly string[]
  /** Set for broadcasts: the topic of the message. */
  readonly topic?: string
  readonly tokens: readonly Token[]
}

/** The proof that a claim was allowed. */
export interface Authorization {
  readonly capability: string
  /** The DID in whose name the caller acts: the issuer of the link whose subject is the caller (A, W2). */
  readonly origin: Did
  /** When the chain that allowed it expires, UNIX nanoseconds. */
  readonly expiresAt: bigint
}

/** What to put into a new token. */
export interface GrantRequest {
  readonly subject: string
  readonly audience?: string
  readonly topics?: readonly string[]
  readonly capabilities: readonly string[]
  /** UNIX nanoseconds. */
  readonly expiresAt: bigint
  /** 0 or missing = unlimited. */
  readonly depth?: bigint
}

/** The three kinds of anchors and the revocations of a context (A §8.1). */
export interface Anchors {
  readonly roots: readonly Did[]
  readonly require: readonly Token[]
  readonly provide: readonly Token[]
  readonly revoke: readonly Token[]
}

/** A change of one anchor. */
export type Anchor =
  | { readonly kind: 'root'; readonly did: Did }
  | { readonly kind: 'require' | 'provide' | 'revoke'; readonly token: Token }

/** Binds one DID to what it trusts and what it can prove (A §8). Verification holds no lock and stores nothing (W4, W8, W15). */
export interface CapabilityContext {
  readonly did: Did
  list(now: Millis): Anchors
  /** Whether a DID is a root anchor: an owner of this context's node. */
  isRoot(did: string): boolean
  /** Adds an anchor in memory after verifying it; a subsumed token is dropped by topics, action, depth and chain too (W9). */
  anchor(anchor: Anchor, now: Millis): Result<'added' | 'present', Denial>
  /** Removes by DID, or by issuer and nonce; says whether anything matched. */
  remove(anchor: Anchor): boolean
  /**
   * Applies a revocation without making it an anchor: it came over the network and the caller keeps it. It counts at once for
   * messages, anchors and temporary grants. Signature, action and expiry are checked here.
   */
  learn(revocation: Token, now: Millis): Result<'added' | 'present', Denial>
  /** Ends what {@link CapabilityContext.learn} began, once the revoked token has expired; anchored revocations stay. */
  forget(revocation: Token): void
  /** Whether the token, or a link of its chain, is revoked here. */
  isRevoked(token: Token): boolean
  /** A new token issued by this DID itself (A §7.7). Stores nothing. */
  grant(request: GrantRequest, options?: AbortOptions): Promise<Token>
  /**
   * The revocation of a token that this DID issued (A §7.7); anchor it wherever the token must end.
   *
   * Errors: `UCAN_NOT_ISSUER`.
   */
  revoke(token: Token, options?: AbortOptions): Promise<Token>
  /**
   * New tokens chained on the provide anchors that allow all requested capabilities, or on the fewest that do so together
   * (A §8.2, W23); never none.
   *
   * Errors: `UCAN_BAD_GRANT`; `UCAN_NOT_DELEGABLE` names what no anchor allows.
   */
  delegate(request: GrantRequest, now: Millis, options?: AbortOptions): Promise<readonly Token[]>
  /**
   * A self-issued require anchor that lives in memory only, for the grants of deployments (A §10.2, W13); returns its removal.
   * The token is depth 1, without topics.
   */
  grantHere(request: Omit<GrantRequest, 'depth' | 'topics'>): Promise<() => void>
  /** The tokens to attach to a message (A §8.2 *provide*); stays under 16 KiB by dropping what the destination needs least. */
  present(request: PresentRequest, options?: AbortOptions): Promise<readonly Token[]>
  /** The tokens to attach to a broadcast (A §8.2 *provideBroadcast*). */
  presentBroadcast(request: PresentBroadcastRequest, options?: AbortOptions): Promise<readonly Token[]>
  /** Whether the claim is allowed at `now`; pure (A §8.2 *require*, *requireBroadcast*). */
  authorize(claim: Claim, now: Millis): Result<Authorization, Denial>
}

/** What a message to one actor has to prove. */
export interface PresentRequest {
  /** DID of the receiving context (`to.did`). */
  readonly target: Did
  /** Our actor that sends. */
  readonly subject: ActorId
  /** The receiving actor. */
  readonly audience: ActorId
  /** UNIX nanoseconds: the expiry of the message. */
  readonly expiresAt: bigint
  readonly invoke: readonly string[]
  /** The reply behaviour that the receiver may invoke at our actor. */
  readonly delegate?: readonly string[]
  /**
   * Tokens that arrived with the request we answer: chains by which the peer let us reply. Replaces the reference's store
   * of consumed tokens (A §8.2 *provide* 1).
   */
  readonly received?: readonly Token[]
  readonly now: Millis
}

/** What a broadcast has to prove. */
export interface PresentBroadcastRequest {
  readonly subject: ActorId
  readonly topic: string
  readonly expiresAt: bigint
  readonly capabilities: readonly string[]
  readonly now: Millis
}

/** What opening a context file found besides the context. */
export interface ContextNotice {
  readonly message: string
}

/** Anchors by kind. */
export interface AnchorCounts {
  readonly roots: number
  readonly require: number
  readonly provide: number
  readonly revoke: number
}

/** What reading a context file anew changed. */
export interface ContextReload {
  readonly added: AnchorCounts
  readonly removed: AnchorCounts
  /** As {@link ContextFile.notices}. */
  readonly notices: readonly ContextNotice[]
}

/**
 * Whether a context file carries a good signature of its own key, none (as those of the reference), or one that does not
 * fit what is in the file.
 */
export type ContextSeal = 'signed' | 'unsigned' | 'broken'

/** What a context file says, read without its key. */
export interface ContextView {
  readonly path: string
  readonly did: Did
  readonly seal: ContextSeal
  /** SHA-256 of the file's text, in hexadecimal: what {@link ContextStore.seal} is told to sign. */
  readonly digest: string
  /** What can be used now. */
  readonly anchors: Anchors
  /** Tokens that are in the file but cannot be used: expired, revoked, broken. What is no token at all is only noticed. */
  readonly setAside: Pick<Anchors, 'require' | 'provide' | 'revoke'>
  readonly notices: readonly ContextNotice[]
}

/** A context together with its file (A §8.3); every change is signed, and written atomically, mode 0600, under a lock. */
export interface ContextFile {
  readonly path: string
  readonly context: CapabilityContext
  /** Tokens that were set aside (expired, broken) and what else is worth telling (W11). */
  readonly notices: readonly ContextNotice[]
  /**
   * Applies a change to the newest content of the file, signs it with the context's key and saves it.
   *
   * `change` may be called several times, each time with a fresh draft: when somebody else saved meanwhile. A hardware
   * wallet asks its owner; a refusal leaves the file as it was.
   *
   * Errors: those of `open`, of the signer, `UCAN_CONTEXT_BUSY`, `UCAN_CONTEXT_FULL`, and `DB_…` when it cannot be written.
   */
  update<T>(change: (context: CapabilityContext) => T): Promise<T>
  /**
   * Reads the file anew and puts its anchors in place of those of the context, in one step. Temporary grants, and what was
   * anchored in memory only, stay unless revoked.
   *
   * @throws as {@link ContextStore.open} when the file cannot be used; the context then stays as it was.
   */
  reload(): Promise<ContextReload>
}

/** The capability contexts of a user: `<user_dir>/cap/<name>.cap`. */
export interface ContextStore {
  exists(name: string): Promise<boolean>
  /** The names of all contexts, in order. */
  list(): Promise<readonly string[]>
  /** Creates an empty context; `overwrite` keeps the old file as a backup. Errors: `UCAN_CONTEXT_EXISTS`. */
  create(name: string, signer: Signer, options?: { readonly overwrite?: boolean }): Promise<ContextFile>
  /**
   * Opens a context with its key, which is asked for once the file is known to be good: nobody should type a passphrase, or wake a
   * wallet, for a file that is then refused.
   *
   * Errors: those of {@link ContextStore.read}, `UCAN_WRONG_KEY` (the file belongs to another DID).
   */
  open(name: string, signer: Signer | (() => Promise<Signer>)): Promise<ContextFile>
  /**
   * Reads a context without its key: nothing but the DID in the file is needed to check it.
   *
   * Errors: `UCAN_CONTEXT_NOT_FOUND`, `UCAN_BAD_CONTEXT_FILE`, `UCAN_CONTEXT_WRITABLE` (others can change it), and, unless
   * `acceptChanged` is set, `UCAN_CONTEXT_CHANGED` (its signature does not fit).
   */
  read(name: string, options?: { readonly acceptChanged?: boolean }): Promise<ContextView>
  /**
   * Signs a file as it is, when it still has the text of `digest`; the old file is kept as a backup.
   *
   * Errors: those of `read`, `UCAN_WRONG_KEY`, `UCAN_CONTEXT_BUSY` (it has another text by now).
   *
   * @returns The path of the backup.
   */
  seal(name: string, signer: Signer, digest: string): Promise<string | undefined>
}

/** Reads a token list or a single token (the CLI accepts both, W14). */
export type ParseTokens = (text: string) => Result<readonly Token[], Issue>

/** The keys that a context signs with. */
export type ContextKey = KeyPair | Signer
