import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hours, systemClock, systemRandom, toNanos } from '../../base/index.ts'
import { type Did, generateKeyPair } from '../../identity/index.ts'
import { createContext, encodeToken } from '../../ucan/index.ts'
import { INVITED_CAPABILITIES, type Invitation } from './invitation.ts'
import { bearerKey, encodeInvitation, newBearerSecret, PREFIX, parseInvitation } from './text.ts'

const owner = generateKeyPair()
const machine = generateKeyPair()
const stranger = generateKeyPair()
const secret = newBearerSecret(systemRandom)

async function grantTo(subject: Did) {
  const expiresAt = toNanos(systemClock.now()) + toNanos(hours(1))
  const terms = { capabilities: INVITED_CAPABILITIES, topics: ['/nunet/deployment'], expiresAt, depth: 3n }
  return await createContext({ signer: owner }).grant({ subject, ...terms })
}

const invitation: Invitation = {
  invited: { type: 'bearer', secret },
  grant: await grantTo(bearerKey(secret).did),
  machine: machine.did,
  addresses: [`/ip4/203.0.113.7/tcp/9000/p2p/${machine.peerId}`],
  meetingPoints: [`/dns4/relay.example/tcp/443/p2p/${stranger.peerId}`],
  network: { network: 'acme-lab', topic_prefix: '/acme' }
}

/** A text with a good checksum around any members. */
function textOf(members: unknown): string {
  const body = Buffer.from(JSON.stringify(members))
  return PREFIX + Buffer.concat([body, createHash('sha256').update(body).digest().subarray(0, 6)]).toString('base64url')
}

const members = {
  key: secret.reveal(),
  grant: JSON.parse(encodeToken(invitation.grant)) as unknown,
  machine: machine.did as string,
  addresses: invitation.addresses
}

function complaintOf(text: string): string {
  const parsed = parseInvitation(text)
  return parsed.ok ? 'nothing' : parsed.error.message
}

describe('an invitation that', () => {
  const { key: _, ...withoutKey } = members
  test.each([
    ['has another beginning', 'hello', 'must begin with nunet-invite-1-'],
    ['is of a later version', 'nunet-invite-2-abc', 'is of version 2'],
    ['is too long', PREFIX + 'a'.repeat(20_000), 'is longer than'],
    ['has foreign characters', `${PREFIX}a+b`, 'characters that do not belong'],
    ['is empty', PREFIX, 'is not complete'],
    ['lost its end', encodeInvitation(invitation).slice(0, -8), 'is not complete'],
    ['is a list', textOf([]), 'holds no JSON object'],
    ['has an unknown member', textOf({ ...members, root: owner.did }), 'unknown member "root"'],
    ['is for nobody', textOf(withoutKey), 'must be for whoever has it, or for one DID'],
    ['is for somebody and everybody', textOf({ ...members, to: owner.did }), 'must be for whoever has it, or for one DID'],
    ['has a short key', textOf({ ...members, key: 'AAAA' }), 'no usable key'],
    ['is for no DID', textOf({ ...withoutKey, to: 'somebody' }), 'a DID that cannot be read'],
    ['has no grant', textOf({ ...members, grant: {} }), 'bad grant'],
    ['names no machine', textOf({ ...members, machine: 7 }), 'does not name the machine'],
    ['names a machine without a key', textOf({ ...members, machine: 'did:key:zzz' }), 'names a machine whose key cannot be used'],
    ['has an address that is none', textOf({ ...members, addresses: ['http://203.0.113.7'] }), 'must have at most 16 addresses'],
    [
      'has a setting that names no network',
      textOf({ ...members, net: { relay_use: 'never' } }),
      'names of a network that cannot be read'
    ],
    ['has a name that is none', textOf({ ...members, net: { network: 'a b' } }), 'names of a network that cannot be read'],
    ['has too many addresses', textOf({ ...members, addresses: Array(17).fill(invitation.addresses[0]) }), 'at most 16'],
    [
      'has the address of another machine',
      textOf({ ...members, addresses: [`/ip4/203.0.113.7/tcp/9000/p2p/${stranger.peerId}`] }),
      'an address of another machine'
    ],
    [
      'has a grant for another key',
      textOf({ ...members, key: newBearerSecret(systemRandom).reveal() }),
      'has a grant for somebody else'
    ]
  ])('%s is refused', (_what, text, complaint) => {
    expect(complaintOf(text)).toContain(complaint)
  })

  test('has a grant on another grant is refused: only the first-hand word of an owner counts', async () => {
    const context = createContext({ signer: stranger })
    expect(context.anchor({ kind: 'provide', token: await grantTo(stranger.did) }, systemClock.now()).ok).toBe(true)
    const terms = { capabilities: ['/public'], topics: [], expiresAt: 0n }
    const [grant] = await context.delegate({ subject: bearerKey(secret).did, ...terms }, systemClock.now())
    if (grant === undefined) throw new Error('nothing was delegated')
    expect(complaintOf(encodeInvitation({ ...invitation, grant }))).toContain('no direct delegation')
  })

  test('was changed anywhere is refused', () => {
    const text = encodeInvitation(invitation)
    fc.assert(
      fc.property(fc.integer({ min: PREFIX.length, max: text.length - 1 }), fc.constantFrom(...'aZ09-_'), (at, character) => {
        const changed = text.slice(0, at) + character + text.slice(at + 1)
        expect(changed === text || !parseInvitation(changed).ok).toBe(true)
      })
    )
  })

  test('is any text never fails otherwise', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json().map((json) => textOf(JSON.parse(json)))
        ),
        (text) => !parseInvitation(text).ok
      )
    )
  })
})

describe('an invitation', () => {
  test('reads as it was written, also with line breaks in it', () => {
    const text = encodeInvitation(invitation)
    expect(text).toMatch(/^nunet-invite-1-[\w-]+$/)
    for (const shape of [text, ` ${text.replace(/.{60}/g, '$&\r\n')}\n`]) {
      const parsed = parseInvitation(shape)
      if (!parsed.ok || parsed.value.invited.type !== 'bearer') throw new Error('it was not read')
      expect(parsed.value.invited.secret.reveal()).toBe(secret.reveal())
      expect({ ...parsed.value, invited: 0 }).toEqual({ ...invitation, invited: 0 })
    }
  })

  test('for a DID holds no key', async () => {
    const named: Invitation = {
      ...invitation,
      invited: { type: 'named', did: stranger.did },
      grant: await grantTo(stranger.did),
      meetingPoints: [],
      network: {}
    }
    expect(parseInvitation(encodeInvitation(named))).toEqual({ ok: true, value: named })
    expect(Buffer.from(encodeInvitation(named).slice(PREFIX.length), 'base64url').toString()).not.toContain('"key"')
  })

  test('prints without its key', () => {
    expect(JSON.stringify({ ...invitation, grant: 0 })).not.toContain(secret.reveal())
  })
})
