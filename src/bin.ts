import { main, processIo } from './cmd/index.ts'

process.exitCode = await main(process.argv.slice(2), processIo())
