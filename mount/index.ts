/** The library: what `import ... from "synthproc"` offers. */
export { BuildError } from "../src/mutate/build/build.ts";
export { parseScenario, ScenarioError } from "../src/mutate/scenario.ts";
export type { Scenario } from "../src/mutate/scenario.ts";
export { MountError } from "./errors.ts";
export type { MountErrorCode } from "./errors.ts";
export type { Logger } from "./options.ts";
export { mountFileSystem } from "./mount.ts";
export type { MountedFileSystem, MountOptions } from "./mount.ts";
export { loadScenario, shippedScenarios } from "./scenario-files.ts";
export type { LoadedScenario } from "./scenario-files.ts";
export { startSimulation } from "./simulation.ts";
export type { Simulation, SimulationOptions } from "./simulation.ts";
