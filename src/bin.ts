import { main, processIo } from './cmd/index.ts'

process.exitCode = await main(process.argv.slice(2), processIo())

// What still keeps the process alive now is a leak: an operator's restart must not wait for it.
setTimeout(() => process.exit(70), 10_000).unref()
