import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { SystemFiles } from '../system-files.ts'
import type { RunTool } from '../tools.ts'
import { parseAmdSmi, parseRocmSmi } from './amd.ts'
import { findGpus } from './gpus.ts'
import { parseXpuSmi, parseXpuSmiCard } from './intel.ts'
import { parseNvidia } from './nvidia.ts'

const MIB = 2 ** 20

/** What a real tool printed: `nvidia-smi-h100.csv` comes from such a machine, the others have the documented form of their tools. */
function recorded(name: string): string {
  return readFileSync(new URL(`recorded/${name}`, import.meta.url), 'utf8')
}

/** Files of a machine with cards at addresses, given as `vendor:device class`. */
function machineWith(cards: Readonly<Record<string, string>>, more: Readonly<Record<string, string>> = {}): SystemFiles {
  const files: Record<string, string> = { ...more }
  for (const [address, card] of Object.entries(cards)) {
    const [ids = '', kind = ''] = card.split(' ')
    const [vendor = '', device = ''] = ids.split(':')
    const directory = `/sys/bus/pci/devices/${address}`
    files[`${directory}/vendor`] = `0x${vendor}\n`
    files[`${directory}/device`] = `0x${device}\n`
    files[`${directory}/class`] = `${kind}\n`
  }
  return {
    text: async (path) => files[path],
    names: async (path) => [
      ...new Set(
        Object.keys(files)
          .filter((file) => file.startsWith(`${path}/`))
          .map((file) => file.slice(path.length + 1).split('/')[0] ?? '')
          .sort()
      )
    ]
  }
}

/** Tools that answer with what was recorded; `asked` lists the programs that were run. */
function toolsWith(answers: Readonly<Record<string, string>>): { readonly run: RunTool; readonly asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    run: async (program, args) => {
      asked.push(program)
      return answers[[program, ...args.filter((arg) => /^\d+$/.test(arg))].join(' ')] ?? answers[program]
    }
  }
}

describe('what a tool of a vendor prints', () => {
  test.each([
    ['nothing', ''],
    ['an error', 'NVIDIA-SMI has failed because it couldn’t communicate with the NVIDIA driver.\n'],
    ['half a line', '00000000:00:06'],
    ['garbage', '\u0000\u0001{{{,,,,\n[[['],
    ['JSON of another form', '{"device_list": 7, "gpu_data": "x", "card0": []}'],
    ['JSON that is cut', '{"device_list": [{"device_id": 0, "pci_bdf'],
    ['addresses that are none', '{"device_list": [{"device_id": 0, "pci_bdf_address": "../../etc"}], "card0": {"PCI Bus": 5}}']
  ])('is not believed when it is %s', (_what, output) => {
    expect(parseNvidia(output)).toEqual([])
    expect(parseAmdSmi(output)).toEqual([])
    expect(parseRocmSmi(output)).toEqual([])
    expect(parseXpuSmi(output)).toEqual([])
    expect(parseXpuSmiCard(output)).toEqual({})
  })

  test('says nothing of a size that no card has', () => {
    expect(parseNvidia('00000000:00:06.0, GPU-1de3037a-ce90, 999999999, -5, X')).toEqual([
      { pciAddress: '0000:00:06.0', uuid: 'GPU-1de3037a-ce90', model: 'X' }
    ])
    expect(parseXpuSmiCard('{"memory_physical_size_byte": -1}')).toEqual({})
  })

  test('is understood of NVIDIA, also where single values are missing', () => {
    expect(parseNvidia(recorded('nvidia-smi-several.csv'))).toEqual([
      {
        pciAddress: '0000:01:00.0',
        uuid: 'GPU-8f3a6c5e-24b1-9d0f-7a10-0c4b5e6d7f80',
        model: 'NVIDIA GeForce RTX 4090',
        vram: 24_564 * MIB,
        vramUsed: 1203 * MIB
      },
      { pciAddress: '0000:41:00.0', uuid: 'GPU-1b2c3d4e-5f60-7182-93a4-b5c6d7e8f901', model: 'Quadro P2000' },
      { pciAddress: '0001:c1:00.0', model: 'Tesla T4', vram: 15_360 * MIB, vramUsed: 0 }
    ])
  })

  test('is understood of both tools of AMD', () => {
    expect(parseAmdSmi(recorded('amd-smi.txt'))).toEqual([
      { pciAddress: '0000:05:00.0', uuid: 'GPU-ddb2e5e4f6c7a889', model: 'AMD Instinct MI300X' },
      { pciAddress: '0000:26:00.0' }
    ])
    expect(parseRocmSmi(recorded('rocm-smi.txt'))).toEqual([
      {
        pciAddress: '0000:03:00.0',
        uuid: 'GPU-8c1f3a5d7e9b2046',
        model: 'Radeon RX 7900 XTX',
        vram: 25_753_026_560,
        vramUsed: 27_201_536
      }
    ])
  })

  test('is understood of Intel', () => {
    expect(parseXpuSmi(recorded('xpu-smi.txt'))).toMatchObject([{ id: 0, pciAddress: '0000:4d:00.0' }])
    expect(parseXpuSmiCard(recorded('xpu-smi-0.txt'))).toEqual({ vram: 14_248_050_688 })
    expect(parseXpuSmiCard('{"memory_physical_size": "15473.00 MiB"}')).toEqual({ vram: 15_473 * MIB })
  })
})

describe('the graphics cards of a machine', () => {
  test('are none where there is none, and no tool is run for that', async () => {
    const { run, asked } = toolsWith({ 'nvidia-smi': recorded('nvidia-smi-h100.csv') })
    expect(await findGpus(machineWith({ '0000:00:02.0': '1234:1111 0x030000' }), run)).toEqual([])
    expect(asked).toEqual([])
  })

  test('have no memory, and so are not lent, where driver and tool are missing', async () => {
    const gpus = await findGpus(machineWith({ '0000:01:00.0': '10de:20b2 0x030200' }), async () => undefined)
    expect(gpus).toEqual([
      { index: 0, vendor: 'NVIDIA', model: '10de:20b2', uuid: '', pciAddress: '0000:01:00.0', vram: 0, devices: [] }
    ])
  })

  test('that only a tool tells of are not there', async () => {
    const { run } = toolsWith({ 'nvidia-smi': recorded('nvidia-smi-several.csv') })
    const gpus = await findGpus(machineWith({ '0000:01:00.0': '10de:2684 0x030000' }), run)
    expect(gpus.map(({ pciAddress }) => pciAddress)).toEqual(['0000:01:00.0'])
  })

  test('of NVIDIA are described as on a machine with an H100', async () => {
    const information =
      'Model: \t\t NVIDIA H100 80GB HBM3\nGPU UUID: \t GPU-1de3037a-ce90-4f25-b4c2-16c3b61110aa\nDevice Minor: \t 0\n'
    const files = machineWith(
      { '0000:00:06.0': '10de:2330 0x030200' },
      { '/proc/driver/nvidia/gpus/0000:00:06.0/information': information }
    )
    const { run } = toolsWith({ 'nvidia-smi': recorded('nvidia-smi-h100.csv') })
    expect(await findGpus(files, run)).toEqual([
      {
        index: 0,
        vendor: 'NVIDIA',
        model: 'NVIDIA H100 80GB HBM3',
        uuid: 'GPU-1de3037a-ce90-4f25-b4c2-16c3b61110aa',
        pciAddress: '0000:00:06.0',
        vram: 81_559 * MIB,
        vramUsed: 0,
        devices: ['/dev/nvidia0']
      }
    ])
  })

  test('of three vendors are numbered NVIDIA, AMD, Intel, each with what its own tool or the kernel tells', async () => {
    const files = machineWith(
      {
        '0000:00:02.0': '8086:9a49 0x030000',
        '0000:03:00.0': '1002:744c 0x030000',
        '0000:05:00.0': '1002:74a1 0x120000',
        '0000:41:00.0': '10de:1c30 0x030000',
        '0000:4d:00.0': '8086:56c0 0x038000'
      },
      {
        '/sys/bus/pci/devices/0000:03:00.0/mem_info_vram_total': '25753026560\n',
        '/sys/bus/pci/devices/0000:03:00.0/mem_info_vram_used': '27201536\n',
        '/sys/bus/pci/devices/0000:03:00.0/drm/card1/x': '',
        '/sys/bus/pci/devices/0000:03:00.0/drm/renderD129/x': '',
        '/sys/bus/pci/devices/0000:05:00.0/mem_info_vram_total': '206141652992\n',
        '/sys/bus/pci/devices/0000:4d:00.0/drm/renderD130/x': '',
        '/usr/share/misc/pci.ids':
          '# list\n1002  AMD\n\t744c  Navi 31 [Radeon RX 7900 XT]\n8086  Intel\n\t9a49  TigerLake-LP GT2 [Iris Xe Graphics]\n'
      }
    )
    const { run } = toolsWith({
      'nvidia-smi': recorded('nvidia-smi-several.csv'),
      'amd-smi': recorded('amd-smi.txt'),
      'xpu-smi': recorded('xpu-smi.txt'),
      'xpu-smi 0': recorded('xpu-smi-0.txt')
    })
    expect(
      (await findGpus(files, run)).map(({ index, vendor, model, vram, devices }) => [index, vendor, model, vram, devices])
    ).toEqual([
      [0, 'NVIDIA', 'Quadro P2000', 0, []],
      [1, 'AMD/ATI', 'Navi 31 [Radeon RX 7900 XT]', 25_753_026_560, ['/dev/kfd', '/dev/dri/card1', '/dev/dri/renderD129']],
      [2, 'AMD/ATI', 'AMD Instinct MI300X', 206_141_652_992, []],
      [3, 'Intel', 'TigerLake-LP GT2 [Iris Xe Graphics]', 0, []],
      [4, 'Intel', 'Intel(R) Data Center GPU Flex 170', 14_248_050_688, ['/dev/dri/renderD130']]
    ])
  })

  test('of AMD are described by the older tool where only that is installed', async () => {
    const { run } = toolsWith({ 'rocm-smi': recorded('rocm-smi.txt') })
    const [gpu] = await findGpus(machineWith({ '0000:03:00.0': '1002:744c 0x030000' }), run)
    expect(gpu).toMatchObject({ model: 'Radeon RX 7900 XTX', uuid: 'GPU-8c1f3a5d7e9b2046', vramUsed: 27_201_536 })
  })
})
