import { err, invariant, isJsonObject, ok, parseJson } from '../base/index.ts'
import { type Did, parseDid } from '../identity/index.ts'
import { decodeToken, decodeTokenList, encodeTokenList, MAX_TOKENS, type Token } from '../ucan/index.ts'
import { define } from './behavior.ts'
import { flag, integer, list, maybe, member, nothing, object, text, type WireCodec } from './codec.ts'
import { did, done } from './common.ts'

/** Topic on which revocations spread (A §12.2). */
export const REVOCATION_TOPIC = '/nunet/revocation'

/** DIDs of one request, and of the list in a reply. */
const MAX_ROOTS = 1024

/**
 * A token list, `{"tok":[…]}`; a single token `{"dms":{…}}` is read too (A §14, W14). Signatures are not checked.
 *
 * At most {@link MAX_TOKENS}; what is written may be longer.
 */
export const tokenList: WireCodec<readonly Token[]> = {
  shape: { type: 'json' },
  decode(wire) {
    if (wire === null || wire === undefined) return ok([])
    if (isJsonObject(wire) && 'dms' in wire) {
      const token = decodeToken(wire)
      return token.ok ? ok([token.value]) : err([token.error])
    }
    const tokens = decodeTokenList(wire)
    return tokens.ok ? tokens : err([tokens.error])
  },
  encode(tokens) {
    const json = parseJson(encodeTokenList(tokens))
    invariant(json.ok, 'a token list does not encode to JSON')
    return json.value
  }
}

/** A DID as `{"uri":"did:…"}`, also read as plain text. */
const identity: WireCodec<Did> = {
  shape: did.shape,
  decode(wire) {
    const uri = isJsonObject(wire) ? wire['uri'] : wire
    const parsed = typeof uri === 'string' ? parseDid(uri) : err({ path: '', message: 'must be a DID: {"uri":"did:…"}' })
    return parsed.ok ? parsed : err([parsed.error])
  },
  encode: (value) => ({ uri: value })
}

const identities = list(identity, MAX_ROOTS)
const tokenRequest = object({ token: member('Token', tokenList) })

/** Anchors of every kind; each is looked for under the names of the flags of `nunet cap anchor` (B §7.1). */
const anchorRequest = object({
  roots: maybe('Roots', identities, 'Root', 'DID'),
  require: maybe('Require', tokenList),
  provide: maybe('Provide', tokenList),
  revoke: maybe('Revoke', tokenList)
})

const anchorCounts = object({
  roots: member('Roots', integer()),
  require: member('Require', integer()),
  provide: member('Provide', integer()),
  revoke: member('Revoke', integer())
})

/** The anchors of a node. */
export const capList = define({
  name: '/dms/cap/list',
  callers: 'root',
  summary:
    'Lists the anchors of the node that have not expired. `Context` is ignored. `Omitted` counts the revocations for which one message has no room.',
  request: object({ context: member('Context', text(128)) }),
  reply: object({
    ok: member('OK', flag),
    error: member('Error', text()),
    roots: member('Roots', identities),
    require: member('Require', tokenList),
    provide: member('Provide', tokenList),
    revoke: member('Revoke', tokenList),
    omitted: maybe('Omitted', integer())
  })
})

/** All kinds of anchors at once; nodes of 2025 have only this one. */
export const capAnchor = define({
  name: '/dms/cap/anchor',
  callers: 'root',
  summary: 'Adds anchors of any kind, all or none of them; saved before it is answered. Older than the four below.',
  request: anchorRequest,
  reply: done
})

/** Root anchors. */
export const capRootAnchor = define({
  name: '/dms/cap/root/anchor',
  callers: 'root',
  summary: 'Makes DIDs root anchors: whoever has one of them may do everything here.',
  request: object({ did: member('DID', identities, 'Roots', 'Root') }),
  reply: done
})

/** Require anchors. */
export const capRequireAnchor = define({
  name: '/dms/cap/require/anchor',
  callers: 'root',
  summary: 'Adds require anchors: what holders of tokens on them may do here.',
  request: tokenRequest,
  reply: done
})

/** Provide anchors. */
export const capProvideAnchor = define({
  name: '/dms/cap/provide/anchor',
  callers: 'root',
  summary: 'Adds provide anchors: what the node may do elsewhere.',
  request: tokenRequest,
  reply: done
})

/** Revocations. */
export const capRevokeAnchor = define({
  name: '/dms/cap/revoke/anchor',
  callers: 'root',
  summary: 'Adds revocations, as `nunet cap revoke` prints them. The node also tells other nodes of them from then on.',
  request: tokenRequest,
  reply: done
})

/** Takes anchors away. Ours: the reference has no such behaviour. */
export const capRemove = define({
  name: '/dms/cap/remove',
  callers: 'root',
  summary:
    'Removes anchors: roots by DID, tokens by issuer and nonce, revocations by what they revoke. Nothing to remove is an error.',
  request: anchorRequest,
  reply: done
})

/** Has the context file read. Ours: the reference signals the process instead (A §12.3, W12). */
export const capReload = define({
  name: '/dms/cap/reload',
  callers: 'root',
  summary:
    'Reads the file of the capability context anew, as `nunet cap anchor` asks for after it changed it, and says what changed.',
  request: nothing,
  reply: object({
    ok: member('OK', flag),
    error: member('Error', text()),
    added: member('Added', anchorCounts),
    removed: member('Removed', anchorCounts),
    notices: member('Notices', list(text(8192), 4096))
  })
})

/**
 * Sends revocations to everybody.
 *
 * As a broadcast on its topic it carries revocations, like {@link revocationNotice}: nodes of the reference may send them so.
 */
export const capRevokeBroadcast = define({
  name: '/dms/cap/revoke/broadcast',
  topic: REVOCATION_TOPIC,
  callers: 'root',
  summary:
    'Publishes the revocations in `Token`, which become anchors of the node, or without any all unexpired ones among its anchors. As a broadcast it is the same as `/broadcast/revocation`.',
  request: object({ token: maybe('Token', tokenList), context: maybe('Context', text(128)) }),
  reply: object({
    ok: member('OK', flag),
    error: member('Error', text()),
    tokensCount: member('TokensCount', integer()),
    notices: maybe('Notices', list(text(1024), 16))
  })
})

/** Revocations on their way. Its path is implied by the `/broadcast` that every member of a network holds. */
export const revocationNotice = define({
  name: '/broadcast/revocation',
  topic: REVOCATION_TOPIC,
  callers: 'broadcast',
  summary: `Tells every node of revocations, at most ${MAX_TOKENS} in a message; each counts only by the signature of its issuer.`,
  request: tokenRequest,
  reply: nothing
})
