import { describe, expect, test } from 'vitest'
import { seconds } from '../base/index.ts'
import { createVirtualClock, type VirtualClock } from '../testing/index.ts'
import type { Io, Output } from './io.ts'
import { type Pause, withProgress } from './progress.ts'
import type { Screen } from './screen.ts'

const SCREEN: Screen = { columns: 40, hasColors: false, canRedraw: true }

function setUp(screen?: Screen) {
  const clock = createVirtualClock()
  const written: string[] = []
  const stderr: Output = {
    ...(screen === undefined ? {} : { screen }),
    write: async (text) => void written.push(text)
  }
  const stopped: { listener?: (() => void) | undefined; code?: number } = {}
  const io = {
    clock,
    stderr,
    stdout: { write: () => Promise.reject(new Error('stdout was written to')) },
    onStopSignal(listener: () => void) {
      stopped.listener = listener
      return () => {
        stopped.listener = undefined
      }
    },
    exit(code: number) {
      stopped.code = code
    }
  } as unknown as Io
  return { clock, written, io, stopped }
}

const lasting = (clock: VirtualClock, duration: number) => () => clock.sleep(seconds(duration)).then(() => 'done')

describe('progress', () => {
  test('is not shown for what takes less than a second', async () => {
    const { clock, written, io } = setUp(SCREEN)
    expect(await clock.run(withProgress(io, { text: 'opening' }, lasting(clock, 0.9)))).toBe('done')
    expect(written).toEqual([])
  })

  test('is one line with the time passed and the time left, erased at the end', async () => {
    const { clock, written, io } = setUp(SCREEN)
    await clock.run(withProgress(io, { text: 'waiting', limit: seconds(30) }, lasting(clock, 3)))
    expect(written[0]).toBe('\r\u001b[2K⠋ waiting… 1 s, at most 29 s more')
    expect(written.at(-1)).toBe('\r\u001b[2K')
    expect(written.join('')).not.toContain('\n')
    expect(written.some((text) => text.includes('3 s, at most 27 s more') || text.includes('2 s, at most 28 s more'))).toBe(true)
  })

  test('is not shown while the work asks something', async () => {
    const { clock, written, io } = setUp(SCREEN)
    const work = (pause: Pause) =>
      clock
        .sleep(seconds(2))
        .then(() => pause(() => clock.sleep(seconds(5)).then(() => written.push('asked'))))
        .then(() => clock.sleep(seconds(2)))
    await clock.run(withProgress(io, { text: 'changing' }, work))
    const [at, erased] = [written.indexOf('asked'), '\r\u001b[2K']
    expect(written.slice(at - 1)).toEqual([erased, 'asked', expect.stringContaining('changing… 1 s'), ...written.slice(at + 2)])
    expect(written.at(-1)).toBe(erased)
    expect(written.some((text) => /[4-9] s/.test(text))).toBe(false)
  })

  test('is erased when the work fails, and the failure is passed on', async () => {
    const { clock, written, io } = setUp(SCREEN)
    const failing = () => clock.sleep(seconds(2)).then(() => Promise.reject(new Error('no')))
    await expect(clock.run(withProgress(io, { text: 'waiting' }, failing))).rejects.toThrow('no')
    expect(written.at(-1)).toBe('\r\u001b[2K')
  })

  test('is erased when the command is ended by a signal, which is left alone otherwise', async () => {
    const { clock, written, io, stopped } = setUp(SCREEN)
    const work = async (): Promise<void> => {
      await clock.sleep(seconds(0.5))
      expect(stopped.listener).toBeUndefined()
      await clock.sleep(seconds(1))
      stopped.listener?.()
      expect(written.at(-1)).toBe('\r\u001b[2K')
    }
    await clock.run(withProgress(io, { text: 'waiting' }, work))
    expect(stopped).toEqual({ listener: undefined, code: 130 })
  })

  test('never wraps on a narrow screen', async () => {
    const { clock, written, io } = setUp(SCREEN)
    await clock.run(withProgress(io, { text: 'x'.repeat(200) }, lasting(clock, 2)))
    expect(Math.max(...written.map((text) => text.replace('\r\u001b[2K', '').length))).toBeLessThan(40)
  })

  test.each([
    ['a pipe', undefined],
    ['a dumb terminal', { ...SCREEN, canRedraw: false }]
  ])('is one line after five seconds on %s', async (_, screen) => {
    const { clock, written, io } = setUp(screen)
    await clock.run(withProgress(io, { text: 'waiting' }, lasting(clock, 4)))
    expect(written).toEqual([])
    await clock.run(withProgress(io, { text: 'waiting' }, lasting(clock, 60)))
    expect(written).toEqual(['waiting…\n'])
  })

  test('does not disturb the work when it cannot be written', async () => {
    const { clock, io } = setUp(SCREEN)
    const broken = { ...io, stderr: { screen: SCREEN, write: () => Promise.reject(new Error('ENOSPC')) } }
    expect(await clock.run(withProgress(broken, { text: 'waiting' }, lasting(clock, 3)))).toBe('done')
  })
})
