import type { Clock } from './clock.ts'

/** Something that may be done so often: as many at once as fit, and then as many as flow in. */
export interface Budget {
  /** Takes `amount` when that much is left; otherwise nothing, and says so. */
  take(amount?: number): boolean
  /** Gives back what was taken for something that turned out to be no burden. */
  refund(amount?: number): void
}

/** How large a budget is. */
export interface BudgetSize {
  readonly capacity: number
  readonly perSecond: number
}

/** Creates a full budget. */
export function createBudget(clock: Clock, { capacity, perSecond }: BudgetSize): Budget {
  let left = capacity
  let at = clock.now()

  function flow(): void {
    const now = clock.now()
    left = Math.min(capacity, left + (Math.max(0, now - at) / 1000) * perSecond)
    at = now
  }

  return {
    take(amount = 1) {
      flow()
      if (amount > left) return false
      left -= amount
      return true
    },
    refund(amount = 1) {
      left = Math.min(capacity, left + amount)
    }
  }
}

/** Senders whose budgets are remembered; those heard of least recently are forgotten first. */
const MAX_SENDERS = 1024

/** A budget for each sender; at most `maxSenders` are remembered, and who is forgotten has a full one again. */
export function createBudgets(clock: Clock, size: BudgetSize, maxSenders = MAX_SENDERS): (sender: string) => Budget {
  const budgets = new Map<string, Budget>()
  return (sender) => {
    const budget = budgets.get(sender) ?? createBudget(clock, size)
    budgets.delete(sender) // and to the end: it is the one heard of last
    budgets.set(sender, budget)
    for (const oldest of budgets.keys()) {
      if (budgets.size <= maxSenders) break
      budgets.delete(oldest)
    }
    return budget
  }
}
