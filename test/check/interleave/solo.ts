/** A backend that makes each access at once: transformed code then does what the shipped code does. */
import type { Memory } from "../../../src/sync/atomics.ts";
import { installBackend } from "../../../src/check/interleave/backend.ts";
import type { Steps } from "../../../src/check/interleave/load.ts";

const ACCESSES = [
  ..."load loadU32 store add or and exchange compareExchange wait nap notify".split(" "),
  ..."plainStore plainStore64 plainZero copyIn copyOut byteAt latin1 noteObject".split(" "),
];

type Access = (site: number, m: Memory, ...args: unknown[]) => unknown;

/** Thrown where a thread would sleep, or has looked at something too often: nobody is there to let it go on. */
export class WaitsForOthers extends Error {}

/** Accesses after which a thread is taken to wait for another one. */
const MOST = 1_000_000;
let accesses = 0;

/** Puts the backend in its place, for modules that are loaded from now on. */
export function installSolo(): void {
  const backend: Record<string, Access> = {};
  for (const name of ACCESSES) {
    backend[name] = (_site, m, ...args) => {
      const sleeps = name === "wait" || name === "nap";
      if ((sleeps && m.load(args[0] as number) === args[1]) || accesses++ > MOST) throw new WaitsForOthers();
      const result = (m[name as keyof Memory] as (...args: unknown[]) => unknown).apply(m, args);
      return result === undefined ? 0 : result;
    };
  }
  installBackend(backend);
}

/** Runs a generator that never has to wait. @throws WaitsForOthers */
export function finish<T>(steps: Steps<T>): T {
  accesses = 0;
  const { done, value } = steps.next();
  if (done !== true) throw new Error("an access was delayed");
  return value as T;
}
