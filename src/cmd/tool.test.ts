import { describe, expect, test } from 'vitest'
import { systemClock } from '../base/index.ts'
import { createVirtualClock } from '../testing/index.ts'
import { runTool, type ToolCall } from './tool.ts'

async function run(script: string, call: Partial<ToolCall> = {}, environment: Readonly<Record<string, string>> = {}) {
  let output = ''
  const onOutput = (text: string): void => {
    output += text
  }
  const code = await runTool(
    { command: process.execPath, args: ['-e', script], onOutput, ...call },
    { environment, clock: systemClock }
  )
  return { code, output }
}

describe('a program', () => {
  test('that cannot be started is an error', async () => {
    const waits: number[] = []
    const clock = { ...systemClock, sleep: async (duration: number) => void waits.push(duration) }
    const call = { command: '/nowhere/program', args: [], onOutput: () => undefined }
    await expect(runTool(call, { environment: {}, clock })).rejects.toMatchObject({ code: 'ENOENT' })
    await new Promise((resolve) => setImmediate(resolve))
    expect(waits).toEqual([])
  })

  test('whose output is refused is ended, and the refusal is the error', async () => {
    const endless = 'setInterval(() => process.stdout.write("x".repeat(1000)), 1)'
    const refused = run(endless, {
      onOutput: () => {
        throw new Error('too much')
      }
    })
    await expect(refused).rejects.toThrow('too much')
  })

  test('is ended when the signal is aborted, also before it was started', async () => {
    const endless = 'setInterval(() => undefined, 1000)'
    await expect(run(endless, { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({ code: 'BASE_CANCELLED' })
    await expect(run(endless, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'BASE_CANCELLED' })
  })

  test('that does not end when it is told to is made to', async () => {
    const stubborn = 'process.on("SIGTERM", () => undefined); console.log("ready"); setInterval(() => undefined, 1000)'
    const stop = new AbortController()
    const clock = createVirtualClock()
    const impatient = { ...clock, sleep: async () => undefined }
    const running = runTool(
      { command: process.execPath, args: ['-e', stubborn], onOutput: () => stop.abort(), signal: stop.signal },
      { environment: {}, clock: impatient }
    )
    await expect(running).rejects.toMatchObject({ code: 'BASE_CANCELLED' })
  })

  test('gets no input, its arguments as they are, and none of our variables', async () => {
    const script =
      'process.stdin.resume().on("end", () => console.log(JSON.stringify([process.argv.slice(1), process.env.DMS_SECRET, process.env.OTHER])))'
    const { output } = await run(script, { args: ['-e', script, '--', '$(x) "y"', ';'] }, { DMS_SECRET: 'secret', OTHER: 'kept' })
    expect(JSON.parse(output)).toEqual([['$(x) "y"', ';'], null, 'kept'])
  })

  test('hands over both of its outputs and its exit code, or its signal', async () => {
    expect(await run('console.log("out"); console.error("err"); process.exitCode = 3')).toMatchObject({ code: 3 })
    expect((await run('console.log("out"); console.error("err")')).output).toContain('out')
    expect((await run('console.log("out"); console.error("err")')).output).toContain('err')
    expect(await run('process.kill(process.pid, "SIGKILL")')).toEqual({ code: 137, output: '' })
  })

  test('is not waited for longer than it lives, when a child of it keeps its output open', async () => {
    const script =
      'require("child_process").spawn(process.execPath, ["-e", "setTimeout(() => undefined, 5000)"], { stdio: "inherit", detached: true }).unref()'
    const before = Date.now()
    expect(await run(script)).toEqual({ code: 0, output: '' })
    expect(Date.now() - before).toBeLessThan(4500)
  })
})
