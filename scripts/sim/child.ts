import { spawn } from 'node:child_process'

/** Runs a program to its end and resolves with its exit code and what it printed. */
export function runProgram(
  command: readonly string[],
  directory: string
): Promise<{ readonly code: number; readonly output: string }> {
  const [program = '', ...args] = command
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] })
    const parts: Buffer[] = []
    child.stdout.on('data', (data: Buffer) => parts.push(data))
    child.stderr.on('data', (data: Buffer) => parts.push(data))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 70, output: Buffer.concat(parts).toString('utf8') }))
  })
}
