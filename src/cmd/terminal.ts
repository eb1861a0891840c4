import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { CancelledError } from '../base/index.ts'

/** Implements `Terminal.ask` with the terminal of this process. */
export async function ask(question: string): Promise<string> {
  const line = openLine(process.stderr)
  return await line.read(question)
}

/** Implements `Terminal.askHidden`. The question comes when nothing is echoed any more, so that not even an early answer is shown. */
export async function askHidden(question: string): Promise<string> {
  const line = openLine(new Writable({ write: (_chunk, _encoding, done) => done() }))
  process.stderr.write(question)
  try {
    return await line.read('')
  } finally {
    process.stderr.write('\n')
  }
}

/** Takes the terminal; what is typed is echoed by readline to `output` only. */
function openLine(output: NodeJS.WritableStream): { read(question: string): Promise<string> } {
  const reader = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 })
  return {
    read: (question) =>
      new Promise((resolve, reject) => {
        reader.question(question, (answer) => {
          resolve(answer)
          reader.close()
        })
        reader.once('SIGINT', () => reader.close())
        // After an answer this comes too late to matter.
        reader.once('close', () => reject(new CancelledError('the question was not answered')))
      })
  }
}
