import { randomBytes, randomInt } from 'node:crypto'

/** A frame with some bytes, members or values exchanged. */
export function mutate(frame: Buffer): Buffer {
  const copy = Buffer.from(frame)
  switch (randomInt(6)) {
    case 0:
      for (let flips = randomInt(1, 8); flips > 0; flips -= 1) copy[randomInt(copy.length)] = randomInt(256)
      return copy
    case 1:
      return copy.subarray(0, randomInt(copy.length))
    case 2:
      return Buffer.from(copy.toString().replace(/"[a-z]+":/, `"${randomBytes(3).toString('hex')}":`))
    case 3:
      return Buffer.from(copy.toString().replaceAll(/\d{6,}/g, () => '9'.repeat(randomInt(1, 400))))
    case 4:
      return Buffer.from(copy.toString().replace(/"cap":"[^"]*"/, `"cap":"${randomBytes(4096).toString('base64')}"`))
    default: {
      const [from, to] = [randomInt(copy.length), randomInt(copy.length)].sort((a, b) => a - b) as [number, number]
      return Buffer.concat([copy, copy.subarray(from, to)])
    }
  }
}

/** JSON that is a list in a list in a list. */
export function nested(depth: number): Buffer {
  return Buffer.from('['.repeat(depth) + ']'.repeat(depth))
}

/** An envelope whose token is the proof of the proof of the proof, and so on. */
export function nestedChain(frame: Buffer, depth: number): Buffer {
  const link = '{"act":"delegate","iss":{"uri":"did:key:z"},"chain":'
  const list = `{"tokens":[{"dms":${link.repeat(depth)}null${'}'.repeat(depth)}}]}`
  return Buffer.from(frame.toString().replace(/"cap":"[^"]*"/, `"cap":"${Buffer.from(list).toString('base64')}"`))
}

/** Envelopes with null where something must be. */
export function nulls(frame: Buffer): readonly Buffer[] {
  const text = frame.toString()
  const members = ['to', 'be', 'from', 'nonce', 'opt', 'msg', 'cap', 'sig']
  const lists = ['null', '[null]', '{"tokens":null}', '{"tokens":[null]}', '{"tokens":[{"dms":null}]}', '{"tokens":[{}]}']
  return [
    Buffer.from('null'),
    Buffer.from(`{${members.map((name) => `"${name}":null`).join(',')}}`),
    ...members.map((name) => Buffer.from(text.replace(new RegExp(`"${name}":("[^"]*"|\\d+|\\{)`), `"${name}":null,"x":$1`))),
    ...lists.map((list) => Buffer.from(text.replace(/"cap":"[^"]*"/, `"cap":"${Buffer.from(list).toString('base64')}"`)))
  ]
}
