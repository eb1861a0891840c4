import { describe, expect, test } from 'vitest'
import { readFrames } from './frames.ts'

function frame(stream: number, text: string): Buffer {
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0])
  header.writeUInt32BE(Buffer.byteLength(text), 4)
  return Buffer.concat([header, Buffer.from(text)])
}

async function read(pieces: readonly Uint8Array[]): Promise<{ stdout: string; stderr: string }> {
  async function* source() {
    yield* pieces
  }
  const text = { stdout: '', stderr: '' }
  for await (const { stream, data } of readFrames(source())) text[stream] += Buffer.from(data).toString('utf8')
  return text
}

describe('frames of output', () => {
  test('with a header that is none are refused', async () => {
    await expect(read([Buffer.from('HTTP/1.1 200')])).rejects.toMatchObject({ code: 'EXECUTOR_FAILED' })
    await expect(read([Buffer.from([3, 0, 0, 0, 0, 0, 0, 0])])).rejects.toThrow('no frame')
  })

  test('are told apart by stream, wherever the pieces are cut', async () => {
    const whole = Buffer.concat([frame(1, 'one\n'), frame(2, 'bad\n'), frame(1, ''), frame(1, 'two\n')])
    const expected = { stdout: 'one\ntwo\n', stderr: 'bad\n' }
    expect(await read([whole])).toEqual(expected)
    expect(await read([...whole].map((byte) => Buffer.of(byte)))).toEqual(expected)
    for (let cut = 1; cut < whole.length; cut += 1) {
      expect(await read([whole.subarray(0, cut), whole.subarray(cut)])).toEqual(expected)
    }
  })

  test('that are cut off give what came', async () => {
    expect(await read([frame(1, 'abcdef').subarray(0, 11)])).toEqual({ stdout: 'abc', stderr: '' })
    expect(await read([])).toEqual({ stdout: '', stderr: '' })
  })
})
