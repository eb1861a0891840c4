import { describe, expect, test } from 'vitest'
import type { Gpu, Machine } from '../../hardware/index.ts'
import { bad, brief, GOOD_MACHINE, subjectOf } from '../fixtures.ts'
import { type HardwareFacts, hardware, judgeHardware } from './hardware.ts'

const GIB = 2 ** 30
const gpu = (vram: number): Gpu => ({
  index: 0,
  vendor: 'NVIDIA',
  model: 'T4',
  uuid: '',
  pciAddress: '',
  vram: vram as Gpu['vram'],
  devices: []
})

function facts(changes: {
  readonly clockHz?: number
  readonly memory?: number
  readonly freeDisk?: number
  readonly gpus?: readonly Gpu[]
  readonly needsGpu?: boolean
}): HardwareFacts {
  const { clockHz = 4e9, memory = 32e9, freeDisk = 400e9, gpus = [], needsGpu = false } = changes
  const machine: Machine = { ...GOOD_MACHINE, cpu: { ...GOOD_MACHINE.cpu, clockHz }, memory: memory as Machine['memory'], gpus }
  return { machine, freeDisk, diskPath: '/work', links: {}, needsGpu }
}

describe('the requirements', () => {
  test.each<[string, Parameters<typeof facts>[0], readonly string[]]>([
    ['too slow', { clockHz: 1.5e9 }, ['problem processor: 8 × 1.5 GHz = 12 GHz (Model), below the least clock of 2 GHz']],
    [
      'slower than recommended',
      { clockHz: 2e9 },
      ['warning processor: 8 × 2 GHz = 16 GHz (Model), below the recommended 3.5 GHz']
    ],
    ['too little memory', { memory: 3 * GIB }, ['problem memory: 3 GiB, below the least of 4 GB']],
    ['a machine sold as 4 GB', { memory: 3.8 * GIB }, ['warning memory: 3.8 GiB, below the recommended 8 GB']],
    ['a machine sold as 8 GB', { memory: 7.6 * GIB }, []],
    ['too little disk', { freeDisk: 5e9 }, ['problem free disk: 4.7 GiB at /work, below the least of 10 GB']],
    ['less disk than recommended', { freeDisk: 12e9 }, ['warning free disk: 11.2 GiB at /work, below the recommended 20 GB']],
    ['everything', {}, []],
    ['no card though asked for', { needsGpu: true }, ['problem graphics card: none found']],
    [
      'a card with too little memory',
      { gpus: [gpu(2e9)] },
      ['problem graphics card 0: 1.9 GiB on NVIDIA T4, below the least of 4 GB']
    ],
    ['graphics inside of the processor, which do not count', { gpus: [{ ...gpu(5e8), vendor: 'AMD/ATI' }], memory: 8e9 }, []],
    ['a card of unknown memory', { gpus: [gpu(0)] }, ['warning graphics card 0: NVIDIA T4; its memory cannot be told']],
    [
      'a card, and so higher figures',
      { gpus: [gpu(16e9)], clockHz: 3.5e9, memory: 8e9, freeDisk: 60e9 },
      [
        'warning processor: 8 × 3.5 GHz = 28 GHz (Model), below the recommended 4 GHz',
        'warning memory: 7.5 GiB, below the recommended 16 GB',
        'warning free disk: 55.9 GiB at /work, below the recommended 100 GB'
      ]
    ]
  ])('find %s', (_, changes, expected) => {
    expect(bad(judgeHardware(facts(changes)))).toEqual(expected)
  })

  test('a clock that the kernel does not tell is no problem', () => {
    expect(brief(judgeHardware(facts({ clockHz: 0 })))).toContain(
      'skipped processor: 8 cores (Model); the kernel does not tell their clock'
    )
  })
})

test('links of real cards are shown, virtual and unplugged ones are not', async () => {
  const texts = {
    '/sys/class/net/eth0/device/uevent': '',
    '/sys/class/net/eth0/speed': '1000\n',
    '/sys/class/net/eth1/device/uevent': '',
    '/sys/class/net/eth1/speed': '-1\n',
    '/sys/class/net/veth1/speed': '10000\n'
  }
  const findings = await hardware.run(await subjectOf({ texts }))
  expect(brief(findings).at(-1)).toBe(
    'skipped internet speed: not measured; link: eth0 1000 Mbit/s; NuNet asks for 4 Mbit/s, better 10'
  )
})

test('a card whose memory nobody tells is warned of: it is not lent', async () => {
  const machine = async () => ({ ...GOOD_MACHINE, gpus: [{ ...gpu(0), pciAddress: '0000:3b:00.0' }] })
  expect(bad(await hardware.run({ ...(await subjectOf({})), machine }))).toEqual([
    'warning graphics card 0: NVIDIA T4; its memory cannot be told'
  ])
})

test('the maker of a card is named once', async () => {
  const card = { ...gpu(81_559 * 2 ** 20), model: 'NVIDIA H100 80GB HBM3' }
  const machine = async () => ({ ...GOOD_MACHINE, gpus: [card] })
  expect(brief(await hardware.run({ ...(await subjectOf({})), machine }))).toContain(
    'ok graphics card 0: 79.6 GiB on NVIDIA H100 80GB HBM3'
  )
})
