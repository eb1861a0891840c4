/**
 * Shows that the simulator finds what it is for: `npx tsx scripts/sim-planted.ts [--seeds N]`. Plants one fault after another in a scratch
 * copy of the program, runs seeds until it is found, and says after how many. Ends with 1 when one is not found.
 */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runProgram } from './sim/child.ts'
import { PLANTED_FAULTS, type PlantedFault } from './sim/planted-faults.ts'

const ROOT = join(import.meta.dirname, '..')

/** What the runs in the scratch copy need of the checkout. */
const COPIED = ['src', 'scripts', 'package.json', 'tsconfig.json']

async function main(): Promise<boolean> {
  const { values } = parseArgs({ options: { seeds: { type: 'string', default: '50' }, only: { type: 'string' } } })
  const scratch = await mkdtemp(join(tmpdir(), 'dms-planted-'))
  try {
    for (const name of COPIED) await cp(join(ROOT, name), join(scratch, name), { recursive: true })
    await symlink(join(ROOT, 'node_modules'), join(scratch, 'node_modules'))
    let isGood = true
    for (const fault of PLANTED_FAULTS) {
      if (values.only !== undefined && values.only !== fault.name) continue
      isGood = (await tryFault(scratch, fault, Number(values.seeds))) && isGood
    }
    return isGood
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function tryFault(scratch: string, fault: PlantedFault, seeds: number): Promise<boolean> {
  const path = join(scratch, fault.file)
  const sound = await readFile(path, 'utf8')
  const planted = sound.replace(fault.from, fault.to)
  if (planted === sound) throw new Error(`${fault.file} no longer has what the fault ${JSON.stringify(fault.name)} replaces`)
  await writeFile(path, planted)
  try {
    for (let seed = 1; seed <= seeds; seed += 1) {
      const options = ['--seed', String(seed), '--nodes', '5..10', '--hours', '24', '--faults', 'all']
      const { code, output } = await runProgram(['node_modules/.bin/tsx', 'scripts/sim.ts', ...options], scratch)
      if (code === 0) continue
      const found = output.split('\n').find((line) => line.includes('VIOLATED')) ?? output.slice(0, 500)
      if (code !== 1 || !found.includes(`VIOLATED ${fault.invariant}`))
        throw new Error(`seed ${seed} ended with something else:\n${output}`)
      console.log(`${fault.name}: found with seed ${seed}, the ${seed === 1 ? 'first' : `${seed}th`}\n${found.slice(0, 300)}`)
      return true
    }
  } finally {
    await writeFile(path, sound)
  }
  console.log(`${fault.name}: NOT FOUND with ${seeds} seeds`)
  return false
}

process.exitCode = (await main()) ? 0 : 1
