// Brings a fault about. Resolves when its effect is over: what it hit works again. Undefined when there was nothing
// that it could have hit.
import type { Happened } from '../judge.js';
import type { Fault } from '../schedule.js';
import { endLauncher, killControlPlane, killLauncher, killRun, loseMachine } from './kills.js';
import { fillDisk, jumpClock } from './machines.js';
import { breakApi, breakLine, slowDown } from './network.js';
import { drain, stop } from './people.js';
import type { Stage } from './stage.js';
import { breakBroker, endBroker, endEngine } from './surroundings.js';

export async function inject(stage: Stage, fault: Fault): Promise<Happened | undefined> {
  switch (fault.kind) {
    case 'kill-launcher':
      return killLauncher(stage, fault);
    case 'lose-machine':
      return loseMachine(stage, fault);
    case 'end-launcher':
    case 'stop-launcher':
      return endLauncher(stage, fault);
    case 'kill-control-plane':
      return killControlPlane(stage, fault);
    case 'kill-run':
      return killRun(stage, fault);
    case 'cut-line':
    case 'freeze-line':
      return breakLine(stage, fault);
    case 'cut-api':
    case 'freeze-api':
      return breakApi(stage, fault);
    case 'slow':
      return slowDown(stage, fault);
    case 'drain':
      return drain(stage, fault);
    case 'stop-run':
      return stop(stage, fault);
    case 'jump-clock':
      return jumpClock(stage, fault);
    case 'fill-disk':
      return fillDisk(stage, fault);
    case 'kill-broker':
    case 'end-broker':
      return endBroker(stage, fault);
    case 'cut-broker':
    case 'freeze-broker':
      return breakBroker(stage, fault);
    case 'kill-engine':
    case 'end-engine':
      return endEngine(stage, fault);
    case 'stall':
      // Nobody brings it about.
      return undefined;
  }
}
