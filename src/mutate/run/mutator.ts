/**
 * A mutator: moves its share of the processes, a tick at a time. What happens is decided by seeded chance alone, so a
 * single mutator makes the same history from the same seed, tick by tick.
 */
import { endHolding, finishHeldExecs, startHolding } from "../../kernel/exec-hold.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { advanceClock, bootTimeNs } from "../../time/clock.ts";
import type { Built } from "../built.ts";
import { ProcessMaker } from "../build/process.ts";
import type { Scenario } from "../scenario-types.ts";
import { ended, memberAgent, reapNow, respawn, restoreBehaviours, supervisedRespawnNs, takeMembers } from "./lives.ts";
import { LOAD_INTERVAL_NS, sampleLoad } from "./load-average.ts";
import { takeEndedMembers } from "./members.ts";
import { runPhase, schedulePhases } from "./phases.ts";
import type { Event, MutatorPlace } from "./scene.ts";
import { ALWAYS, Scene } from "./scene.ts";
import { handle, takeTurn } from "./turns.ts";

/** After so many events the thread lets go of what it saw, so that memory can be freed. */
const EVENTS_BETWEEN_PAUSES = 32;
const NS_PER_MS = 1e6;

export class Mutator {
  private readonly scene: Scene;
  private started = false;

  /**
   * @param place which mutator of how many; number 0 moves the clock, and should tick first
   * @pre publishMembers has been called
   */
  constructor(k: Kernel, scenario: Scenario, built: Built, place: MutatorPlace) {
    const maker = new ProcessMaker(k, scenario, (place.seed + place.index) | 0);
    this.scene = new Scene(k, scenario, built, place, maker);
  }

  /**
   * Lets time pass, and does what is due. Mutator 0 moves the clock by `dtNs`; the others follow it.
   * @pre the thread is offline for RCU; it is again afterwards
   */
  tick(dtNs: number): void {
    const { k, place } = this.scene;
    k.busy();
    if (!this.started) this.begin();
    if (place.index === 0) advanceClock(k, Math.round(dtNs));
    const now = bootTimeNs(k);
    finishHeldExecs(k, now);
    this.restartEnded(now);
    this.runDue(now);
    k.quiescent();
    k.slab.reclaim();
    k.idle();
  }

  /** Events that are waiting. */
  pending(): number {
    return this.scene.queue.size();
  }

  /** Finishes what is under way, and gives back what this thread holds. The processes stay as they are. */
  end(): void {
    const { k, maker, place } = this.scene;
    k.busy();
    if (place.index === 0) endHolding(k);
    maker.release();
    k.quiescent();
    k.slab.flush();
    k.idle();
  }

  private begin(): void {
    const { scene } = this;
    const { index } = scene.place;
    this.started = true;
    if (index === 0) startHolding(scene.k);
    takeMembers(scene, bootTimeNs(scene.k));
    const start = scene.scenario.host.uptimeMs * NS_PER_MS;
    schedulePhases(scene, start);
    if (index === 0) this.pushLoad(bootTimeNs(scene.k) + LOAD_INTERVAL_NS);
  }

  private pushLoad(at: number): void {
    this.scene.queue.push({ at, order: 0, agent: null, life: ALWAYS, image: ALWAYS, what: { kind: "load" } });
  }

  /** Members that a fault has ended come back. */
  private restartEnded(now: number): void {
    const { scene } = this;
    for (const ordinal of takeEndedMembers(scene.k, scene.place.index)) {
      let group = 0;
      while ((scene.firsts[group + 1] as number) <= ordinal) group++;
      const agent = memberAgent(scene, group, ordinal - (scene.firsts[group] as number));
      // One that had nothing to do so far is not known to have been up.
      if (agent.up) ended(scene, agent, now, supervisedRespawnNs(agent));
      else scene.later(agent, now + supervisedRespawnNs(agent), { kind: "respawn" });
    }
  }

  private runDue(now: number): void {
    const { k, queue } = this.scene;
    let count = 0;
    for (let event = queue.due(now); event !== null; event = queue.due(now)) {
      this.run(event, now);
      if (++count % EVENTS_BETWEEN_PAUSES !== 0) continue;
      k.quiescent();
      k.slab.reclaim();
    }
  }

  private run(event: Event, now: number): void {
    const { scene } = this;
    const { agent, what, at } = event;
    if (what.kind === "phase") return runPhase(scene, what.phase, at);
    if (what.kind === "load") {
      sampleLoad(scene.k);
      return this.pushLoad(at + LOAD_INTERVAL_NS);
    }
    if (agent === null || (event.life !== ALWAYS && event.life !== agent.life)) return;
    if (event.image !== ALWAYS && event.image !== agent.image) return;
    switch (what.kind) {
      case "unset":
        return restoreBehaviours(scene, agent, what.set, what.former, at);
      case "turn":
        if (what.slot.active) takeTurn(scene, agent, what.slot, at, now);
        return;
      case "reap":
        return reapNow(scene, what.pid, what.generation, what.slot);
      case "respawn":
        return respawn(scene, agent, at);
      default:
        return handle(scene, agent, what, at);
    }
  }
}
