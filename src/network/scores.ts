import type { gossipsub } from '@libp2p/gossipsub'
import { hours, seconds } from '../base/index.ts'

const DECAY_TO_ZERO = 0.001
const DECAY_INTERVAL = hours(1)

type ScoreParameters = NonNullable<NonNullable<Parameters<typeof gossipsub>[0]>['scoreParams']>

/** Who is cut off at which score (B §5.4). */
export const SCORE_THRESHOLDS = {
  gossipThreshold: -500,
  publishThreshold: -1000,
  graylistThreshold: -2500,
  acceptPXThreshold: 0,
  opportunisticGraftThreshold: 2.5
} as const

/** How a topic counts in the score of a peer (B §5.4): time in the mesh a little, each rejected message heavily, fading in 1 h. */
export const TOPIC_SCORE = {
  topicWeight: 1,
  timeInMeshWeight: 0.00027,
  timeInMeshQuantum: seconds(1),
  timeInMeshCap: 1,
  firstMessageDeliveriesWeight: 0,
  firstMessageDeliveriesDecay: 0,
  firstMessageDeliveriesCap: 0,
  meshMessageDeliveriesWeight: 0,
  meshMessageDeliveriesDecay: 0,
  meshMessageDeliveriesCap: 0,
  meshMessageDeliveriesThreshold: 0,
  meshMessageDeliveriesWindow: 0,
  meshMessageDeliveriesActivation: 0,
  meshFailurePenaltyWeight: 0,
  meshFailurePenaltyDecay: 0,
  invalidMessageDeliveriesWeight: -1000,
  invalidMessageDeliveriesDecay: DECAY_TO_ZERO
} as const

/** How the score of a peer is made up (B §5.4); weights that the reference does not set are 0 here, not the library's defaults. */
export function scoreParameters(peerScore: (peer: string) => number): ScoreParameters {
  return {
    topicScoreCap: 10,
    appSpecificScore: peerScore,
    appSpecificWeight: 1,
    IPColocationFactorWeight: 0,
    behaviourPenaltyWeight: 0,
    decayInterval: DECAY_INTERVAL,
    decayToZero: DECAY_TO_ZERO,
    retainScore: hours(6)
  }
}
