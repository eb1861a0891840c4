import { expect, test } from 'vitest'
import { createSlots } from './slots.ts'

const never = new AbortController().signal

test('one too many waits until a place is free, in order of arrival', async () => {
  const slots = createSlots(1)
  const order: number[] = []
  const release = await slots.acquire('a', never)
  const second = slots.acquire('a', never).then((free) => {
    order.push(2)
    free()
  })
  const third = slots.acquire('a', never).then((free) => {
    order.push(3)
    free()
  })
  expect(order).toEqual([])
  release()
  await Promise.all([second, third])
  expect(order).toEqual([2, 3])
})

test('who gives up waiting does not use up a place', async () => {
  const slots = createSlots(1)
  const release = await slots.acquire('a', never)
  const impatient = new AbortController()
  const waiting = slots.acquire('a', impatient.signal)
  impatient.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'BASE_CANCELLED' })
  await expect(slots.acquire('a', impatient.signal)).rejects.toMatchObject({ code: 'BASE_CANCELLED' })
  release()
  const again = await slots.acquire('a', never)
  again()
})

test('releasing twice frees one place', async () => {
  const slots = createSlots(1)
  const release = await slots.acquire('a', never)
  release()
  release()
  await slots.acquire('a', never)
  let isThird = false
  void slots.acquire('a', never).then(() => {
    isThird = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(isThird).toBe(false)
})

test('keys do not share places', async () => {
  const slots = createSlots(1)
  await slots.acquire('a', never)
  await slots.acquire('b', never)
})
