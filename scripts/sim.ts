/**
 * The simulator: `npm run sim -- --seed 7 --nodes 10 --hours 24 --faults all --workload mixed`. Runs whole nodes in virtual time with
 * faults and checks invariants after every event; the same seed gives the same run. Ends with 1 when an invariant is violated.
 */
import { errorMessage } from '../src/base/index.ts'
import { parseOrder, USAGE } from './sim/order.ts'
import { runForParent, runOrder } from './sim/run.ts'

try {
  const argv = process.argv.slice(2)
  const order = parseOrder(argv)
  if (order === 'help') console.log(USAGE)
  else if (order.isWorker) runForParent(order)
  else process.exitCode = (await runOrder(order, argv)) ? 0 : 1
} catch (error) {
  console.error(`Error: ${errorMessage(error)}`)
  process.exitCode = 2
}
