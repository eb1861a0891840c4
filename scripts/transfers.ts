/**
 * Sends an object of a bucket through a job and back, while daemons are killed with SIGKILL, and judges what came of it.
 *
 * `npm run transfers -- --mebibytes 1024`; ends with 1 when something is not the same, was sent again from its beginning, took memory
 * with its size, or is left behind.
 */
import { parseArgs } from 'node:util'
import { judgeTransfer } from './transfers/judge.ts'
import { transfer } from './transfers/transfers.ts'

const { values } = parseArgs({ options: { mebibytes: { type: 'string', default: '1024' } } })
const mebibytes = Number(values.mebibytes)
if (!(Number.isInteger(mebibytes) && mebibytes >= 64)) {
  throw new Error(`--mebibytes must be a whole number of 64 or more, not ${values.mebibytes}`)
}

const report = await transfer(mebibytes, console.log)
const percent = (count: number): string => `${((count / report.size) * 100).toFixed(0)} %`
console.log(`${report.status} after ${report.seconds.toFixed(0)} s: ${mebibytes} MiB in, published, and fetched by the deployer`)
console.log(`the service sent ${percent(report.sent)} and took ${percent(report.taken)} of the object in all`)
console.log(`memory at the highest: provider +${report.growth.provider} MiB, deployer +${report.growth.deployer} MiB`)
const wrong = judgeTransfer(report)
for (const line of wrong) console.log(`WRONG  ${line}`)
console.log(wrong.length === 0 ? 'all is well' : `${wrong.length} things are wrong`)
if (wrong.length > 0) process.exitCode = 1
