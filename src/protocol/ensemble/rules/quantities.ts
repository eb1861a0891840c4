import { type Bytes, bytes, type Millis, millis, type Result } from '../../../base/index.ts'
import { kindOf, refuse } from '../reading.ts'
import { number, type Schema } from '../schema.ts'
import { parseClock, parseDuration, parseSize } from '../units.ts'

const wireSize = number({ above: 0 })

/** A size: GiB or text with a unit in a file, bytes on the wire (C §7.4). */
export const size: Schema<Bytes> = {
  about: 'number of GiB, or text such as `512MiB`',
  read(value, place) {
    if (place.reading.dialect === 'wire') {
      const amount = wireSize.read(value, place)
      if (amount === undefined) return undefined
      return Number.isSafeInteger(amount) ? bytes(amount) : refuse(place, `must be whole bytes, is ${amount}`)
    }
    if (typeof value !== 'number' && typeof value !== 'string') return refuse(place, `must be a size, is ${kindOf(value)}`)
    return valueOr(parseSize(value), (message) => refuse(place, message))
  },
  encode: (value) => value
}

const wireClock = number({ above: 0 })

/** A clock speed: GHz or text with a unit in a file, hertz on the wire. */
export const clock: Schema<number> = {
  about: 'number of GHz, or text such as `2400MHz`',
  isBlankNone: true,
  read(value, place) {
    if (place.reading.dialect === 'wire') return wireClock.read(value, place)
    if (typeof value !== 'number' && typeof value !== 'string') return refuse(place, `must be a clock speed, is ${kindOf(value)}`)
    return valueOr(parseClock(value), (message) => refuse(place, message))
  },
  encode: (value) => value
}

/** A duration: text in a file, on the wire a number of units of `unitMillis` milliseconds each. */
export function duration(unitMillis: number, about: string): Schema<Millis> {
  const wire = number({ above: 0 })
  return {
    about,
    read(value, place) {
      if (place.reading.dialect === 'wire') {
        const amount = wire.read(value, place)
        return amount === undefined ? undefined : millis(amount * unitMillis)
      }
      if (typeof value !== 'string') return refuse(place, `must be a duration such as 30s or 1m30s, is ${kindOf(value)}`)
      return valueOr(parseDuration(value), (message) => refuse(place, message))
    },
    encode: (value) => value / unitMillis
  }
}

function valueOr<T>(result: Result<T, string>, refused: (message: string) => undefined): T | undefined {
  return result.ok ? result.value : refused(result.error)
}
