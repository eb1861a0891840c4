import { type Handle, handleToJson, parseHandle } from '../actor/index.ts'
import { ok } from '../base/index.ts'
import { flag, measured, member, object, text, type WireCodec } from './codec.ts'

/** `{OK, Error}`: the answer of most provider behaviours (B §7). */
export const done = object({ ok: member('OK', flag), error: member('Error', text()) })

/** The value of {@link done} for success. */
export const DONE = Object.freeze({ ok: true, error: '' })

/** An instant. */
export const instant = measured('RFC 3339', text(64))

/** A DID as `{"uri": "did:…"}`. */
export const did = object({ uri: member('uri', text(512)) })

/** An actor's handle (B §1.2). */
export const handle: WireCodec<Handle> = {
  shape: {
    type: 'object',
    members: [
      {
        name: 'id',
        optional: false,
        shape: { type: 'object', members: [{ name: 'pub', optional: false, shape: { type: 'text' } }] }
      },
      { name: 'did', optional: false, shape: did.shape },
      {
        name: 'addr',
        optional: false,
        shape: {
          type: 'object',
          members: [
            { name: 'host', optional: true, shape: { type: 'text' } },
            { name: 'inbox', optional: true, shape: { type: 'text' } }
          ]
        }
      }
    ]
  },
  decode(wire) {
    const parsed = parseHandle(wire as Parameters<typeof parseHandle>[0])
    return parsed.ok ? ok(parsed.value) : { ok: false, error: [parsed.error] }
  },
  encode: handleToJson
}
