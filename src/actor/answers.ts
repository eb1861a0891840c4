/** The answers of an actor that are on their way, bounded in all and for each host. */
export interface Answers {
  /** Begins to send an answer to a host; false when too many are under way already. The failure of one is `send`'s own matter. */
  post(host: string, send: () => Promise<void>): boolean
}

/** Creates {@link Answers}: a host that does not take its answers holds up nobody else. */
export function createAnswers({
  answers,
  answersPerHost
}: {
  readonly answers: number
  readonly answersPerHost: number
}): Answers {
  const hosts = new Map<string, number>()
  let underWay = 0

  function end(host: string): void {
    underWay -= 1
    const left = (hosts.get(host) ?? 1) - 1
    if (left === 0) hosts.delete(host)
    else hosts.set(host, left)
  }

  return {
    post(host, send) {
      const ofHost = hosts.get(host) ?? 0
      if (underWay >= answers || ofHost >= answersPerHost) return false
      underWay += 1
      hosts.set(host, ofHost + 1)
      void send().finally(() => end(host))
      return true
    }
  }
}
