import { isJsonObject, parseJson, type Secret } from '../base/index.ts'
import { type Call, type Connection, parseUrl, readSmall } from './connection.ts'
import { ImageDeniedError } from './errors.ts'

/** What a user gives for a registry. */
export interface RegistryAuth {
  readonly username: string
  readonly password: Secret
}

/** What a registry asks for: `WWW-Authenticate`. */
export type Challenge =
  | { readonly scheme: 'basic' }
  | {
      readonly scheme: 'bearer'
      readonly realm: string
      readonly service: string | undefined
      readonly scope: string | undefined
    }

const MAX_TOKEN_ANSWER = 65_536
const MAX_CHALLENGE = 8192
const TOKEN = /^[\x21-\x7e]{1,32768}$/

/** Reads the header; `undefined` for schemes that are not known. */
export function parseChallenge(header: string): Challenge | undefined {
  if (header.length > MAX_CHALLENGE) return undefined
  const [, scheme = '', rest = ''] = /^\s*([A-Za-z]+)(?:\s+(.*))?$/s.exec(header) ?? []
  if (scheme.toLowerCase() === 'basic') return { scheme: 'basic' }
  if (scheme.toLowerCase() !== 'bearer') return undefined
  const members = new Map(
    [...rest.matchAll(/([a-z_]+)="([^"]*)"/gi)].map(([, name = '', value = '']) => [name.toLowerCase(), value])
  )
  const realm = members.get('realm')
  if (realm === undefined) return undefined
  return { scheme: 'bearer', realm, service: members.get('service'), scope: members.get('scope') }
}

/**
 * What to send as `authorization` after a challenge.
 *
 * The password goes to the registry itself, and to a token service of the same domain; to no other host, and never in the clear
 * but where the owner of this machine allows that.
 *
 * @throws ImageDeniedError when there is nothing to send, or it is not accepted.
 */
export async function answerChallenge(
  connection: Connection,
  url: URL,
  challenge: Challenge | undefined,
  options: Pick<Call, 'signal'> & { readonly auth: RegistryAuth | undefined; readonly scope: string }
): Promise<string> {
  const { auth } = options
  if (challenge === undefined) throw new ImageDeniedError(`${url.host} asks for credentials of a kind that is not supported`)
  if (challenge.scheme === 'bearer') return `Bearer ${await fetchToken(connection, url, challenge, options)}`
  if (auth === undefined) throw new ImageDeniedError(`${url.host} asks for a user and password`)
  return basic(auth)
}

function basic({ username, password }: RegistryAuth): string {
  return `Basic ${Buffer.from(`${username}:${password.reveal()}`).toString('base64')}`
}

async function fetchToken(
  connection: Connection,
  url: URL,
  challenge: Challenge & { readonly scheme: 'bearer' },
  { auth, scope, signal }: Pick<Call, 'signal'> & { readonly auth: RegistryAuth | undefined; readonly scope: string }
): Promise<string> {
  const realm = parseUrl(challenge.realm, url)
  if (challenge.service !== undefined) realm.searchParams.set('service', challenge.service)
  realm.searchParams.set('scope', scope) // what is needed, whatever the registry would have us ask for
  if (auth !== undefined && !isSameDomain(url, realm)) {
    throw new ImageDeniedError(`${url.host} wants the password sent to ${realm.host}, which is not of its domain`)
  }
  const answer = await connection.call(realm, {
    ...(auth === undefined ? {} : { headers: { authorization: basic(auth) } }),
    ...(signal === undefined ? {} : { signal })
  })
  const body = await readSmall(answer, MAX_TOKEN_ANSWER)
  if (answer.status !== 200) throw new ImageDeniedError(`${realm.host} gives no token (status ${answer.status})`)
  const parsed = parseJson(Buffer.from(body).toString('utf8'))
  const { token, access_token } = parsed.ok && isJsonObject(parsed.value) ? parsed.value : {}
  const text = token ?? access_token
  if (typeof text !== 'string' || !TOKEN.test(text)) throw new ImageDeniedError(`${realm.host} answers without a token`)
  return text
}

/** The same host, or names under the same domain: `registry-1.docker.io` and `auth.docker.io`. */
function isSameDomain(registry: URL, realm: URL): boolean {
  if (registry.hostname === realm.hostname) return true
  const isName = [registry, realm].every(({ hostname }) => /[a-z]$/i.test(hostname))
  return isName && domainOf(registry) !== undefined && domainOf(registry) === domainOf(realm)
}

/** Longer than a public suffix of two labels, such as `co.uk`, or it would join strangers. */
function domainOf({ hostname }: URL): string | undefined {
  const labels = hostname.split('.')
  const [second = ''] = labels.slice(-2)
  const most = second.length <= 3 && labels.length > 2 ? 3 : 2
  return labels.length < most ? undefined : labels.slice(-most).join('.')
}
