import { buildInfo } from '../build-info.ts'
import type { Action } from '../command.ts'
import { printJson } from '../output.ts'

/** `nunet version`: clients read the first line that begins with "version" (D §2.1, E §2.1). */
export const version: Action = async ({ flags }, io) => {
  const { version: number, commit, date } = buildInfo()
  if (flags.isOn('json')) {
    return await printJson(io, { version: number, commit, node_version: process.version, build_date: date })
  }
  await io.stdout.write(
    [
      'NuNet Device Management Service',
      `Version: ${number}`,
      `Commit: ${commit}`,
      '',
      `Go Version: none (Node.js ${process.version})`, // for programs that look for the line of the reference
      `Node Version: ${process.version}`,
      `Build Date: ${date}`,
      ''
    ].join('\n')
  )
}
