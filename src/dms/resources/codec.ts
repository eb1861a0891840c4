import { bytes, type Codec, err, isJsonObject, type JsonValue, ok, type Result } from '../../base/index.ts'
import type { Amount } from './amounts.ts'
import type { GpuShare } from './gpus.ts'

/** The stored form of an amount. Records of versions before graphics cards were lent have no `gpus`. */
export const amountCodec: Codec<Amount> = {
  decode(wire) {
    if (!isJsonObject(wire)) return err([{ path: '', message: 'must be an object' }])
    const { cpuCores, memory, disk } = wire
    if (typeof cpuCores !== 'number' || typeof memory !== 'number' || typeof disk !== 'number') {
      return err([{ path: '', message: 'must have the numbers cpuCores, memory and disk' }])
    }
    const gpus = readShares(wire['gpus'] ?? [])
    if (!gpus.ok) return err([{ path: 'gpus', message: gpus.error }])
    return ok({ cpuCores, memory: bytes(memory), disk: bytes(disk), gpus: gpus.value })
  },
  encode: ({ cpuCores, memory, disk, gpus }) => ({ cpuCores, memory, disk, gpus: gpus.map((share) => ({ ...share })) })
}

function readShares(wire: JsonValue): Result<readonly GpuShare[], string> {
  if (!Array.isArray(wire)) return err('must be a list')
  const shares: GpuShare[] = []
  for (const item of wire as readonly JsonValue[]) {
    const { device, vram } = isJsonObject(item) ? item : {}
    if (typeof device !== 'string' || typeof vram !== 'number') return err('must have device and vram each')
    shares.push({ device, vram: bytes(vram) })
  }
  return ok(shares)
}
