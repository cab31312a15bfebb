/** Every world: one row for each oracle. */
import { filesWorld } from "./files-world.ts";
import { identityWorld } from "./identity-world.ts";
import { ioWorld } from "./io-world.ts";
import { kcmpWorld } from "./kcmp-world.ts";
import { mapsWorld } from "./maps-world.ts";
import { revalidateWorld } from "./revalidate-world.ts";
import { timersWorld } from "./timers-world.ts";
import type { World } from "./world.ts";

/** Each world keeps its own plan to itself; whoever runs one hands back what its setup returned. */
function row<Plan>(world: World<Plan>): World<unknown> {
  return world as World<unknown>;
}

export const WORLDS: Readonly<Record<string, World<unknown>>> = {
  io: row(ioWorld),
  identity: row(identityWorld),
  files: row(filesWorld),
  kcmp: row(kcmpWorld),
  maps: row(mapsWorld),
  timers: row(timersWorld),
  revalidate: row(revalidateWorld),
};
