import { define } from './behavior.ts'
import { flag, list, maybe, member, nothing, type ObjectOf, object, text } from './codec.ts'
import { resources } from './resources.ts'

const configMembers = {
  onboarded: maybe('is_onboarded', flag, 'onboarded'),
  resources: member('onboarded_resources', resources, 'resources')
} as const

/** What the owner offers, as it travels. */
export type OnboardingConfig = ObjectOf<typeof configMembers>

const config = object(configMembers)

/** Lends a part of the machine; again replaces the offer (C §6.1). */
export const onboard = define({
  name: '/dms/node/onboarding/onboard',
  callers: 'root',
  summary:
    'Lends a part of the machine; of graphics cards those in `GPUs`, as `<index>:<GiB>`. Called again it replaces the offer, never below what is promised.',
  eras: 'Nodes of 2024 take `{Config}` alone and answer `{Error, Config}`.',
  request: object({
    noGpu: member('NoGPU', flag),
    gpus: member('GPUs', list(text(64), 64)),
    config: member('Config', config)
  }),
  reply: object({ success: member('success', flag), error: maybe('error', text()), config: maybe('config', config) })
})

/** Takes the offer back; refused while jobs run (C §6.3). */
export const offboard = define({
  name: '/dms/node/onboarding/offboard',
  callers: 'root',
  summary: 'Takes the offer back. Refused while allocations or promises exist, whatever `Force` says.',
  eras: 'Nodes of 2024 answer `{Success}`, newer ones know no `Force`.',
  request: object({ force: maybe('Force', flag) }),
  reply: object({ success: member('success', flag), error: maybe('error', text()) })
})

/** Whether anything is lent. */
export const onboardingStatus = define({
  name: '/dms/node/onboarding/status',
  callers: 'root',
  summary: 'Whether the machine lends anything.',
  eras: 'Nodes of 2024 answer `{Onboarded, Error}`.',
  request: nothing,
  reply: object({ onboarded: member('onboarded', flag), error: member('error', text()) })
})

/** Changes the offer; clients of 2024 have a behaviour of its own for it (C §6.1). */
export const onboardingResource = define({
  name: '/dms/node/onboarding/resource',
  callers: 'root',
  summary: 'Replaces the offer of a machine that lends already.',
  eras: 'Of 2024; newer clients call `/dms/node/onboarding/onboard` again.',
  request: object({ config: member('Config', config) }),
  reply: object({ error: member('Error', text()), result: member('Result', config) })
})
