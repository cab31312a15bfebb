/** The transports there are, and which of them to use. */
import { MountError } from "../errors.ts";
import { FUSE_DEVICE, deviceProblem, requireDevice } from "./dev.ts";

export const TRANSPORTS = ["auto", "dev", "fuse-native"] as const;

export type TransportName = (typeof TRANSPORTS)[number];

export interface TransportChoice {
  name: "dev" | "fuse-native";
  /** One clause. */
  why: string;
}

/**
 * Picks a transport: what was asked for, or with "auto" the direct one if it can work, else fuse-native.
 * @throws MountError ESYNTH_NO_TRANSPORT, ESYNTH_NO_FUSE or ESYNTH_PERMISSION
 */
export async function chooseTransport(wanted: TransportName): Promise<TransportChoice> {
  requireDevice();
  if (wanted === "dev") return { name: "dev", why: "asked for" };
  const native = await import("./fuse-native.ts");
  if (wanted === "fuse-native") {
    const problem = native.nativeProblem();
    if (problem === null) return { name: "fuse-native", why: "asked for" };
    throw new MountError("ESYNTH_NO_TRANSPORT", `The fuse-native transport cannot work here: ${problem}.`);
  }
  const problem = deviceProblem();
  if (problem === null) return { name: "dev", why: `${FUSE_DEVICE} can be opened` };
  const nativeProblem = native.nativeProblem();
  if (nativeProblem === null) return { name: "fuse-native", why: problem };
  throw new MountError(
    "ESYNTH_PERMISSION",
    `Nothing to mount with: ${problem}, and fuse-native cannot work: ${nativeProblem}.`,
  );
}
