/** Who a process is: ids and capabilities. */
import type { Cursor } from "../cursor.ts";
import type { CapabilitySet, CapabilitySets, User } from "../scenario-types.ts";

/** In the order of their numbers (linux/capability.h). */
const CAPABILITIES = (
  "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service " +
  "net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin " +
  "sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override " +
  "mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore"
).split(" ");

const NO_CAPABILITIES: CapabilitySet = [0, 0];
const ALL_CAPABILITIES: CapabilitySet = [0xffffffff, 2 ** (CAPABILITIES.length - 32) - 1];

export type Four = [number, number, number, number];

/** Users by name, with the groups that a `user:` brings along. */
export class Users {
  private readonly byName = new Map<string, User>();

  constructor(users: readonly User[]) {
    for (const user of users) {
      this.byName.set(user.name, user);
    }
  }

  /** @throws ScenarioError ESCENARIO_REFERENCE for a name that the host doesn't have. */
  find(cursor: Cursor): User {
    if (cursor.isNumber()) {
      const uid = cursor.number(0);
      return { name: String(uid), uid, gid: uid, groups: [] };
    }
    const name = cursor.text("");
    const user = this.byName.get(name);
    if (user === undefined) {
      throw cursor.error(`unknown user "${name}" (host.users declares users)`, "ESCENARIO_REFERENCE");
    }
    return user;
  }

  /** One id for all four, or the four of status. */
  ids(cursor: Cursor, fallback: Four, pick: "uid" | "gid"): Four {
    if (!cursor.exists()) {
      return fallback;
    }
    if (cursor.isList()) {
      return cursor.items().map((item) => this.find(item)[pick]) as Four;
    }
    return four(this.find(cursor)[pick]);
  }
}

export function four(id: number): Four {
  return [id, id, id, id];
}

/** What a process with this effective uid has unless the scenario says otherwise. */
export function defaultCapabilities(uid: number): CapabilitySets {
  const own = uid === 0 ? ALL_CAPABILITIES : NO_CAPABILITIES;
  return {
    inheritable: NO_CAPABILITIES,
    permitted: own,
    effective: own,
    bounding: ALL_CAPABILITIES,
    ambient: NO_CAPABILITIES,
  };
}

/** A single value stands for permitted and effective. */
export function capabilities(cursor: Cursor, fallback: CapabilitySets): CapabilitySets {
  if (!cursor.exists()) {
    return fallback;
  }
  if (!cursor.isMap()) {
    const own = capabilitySet(cursor, NO_CAPABILITIES);
    return { ...fallback, permitted: own, effective: own };
  }
  return {
    inheritable: capabilitySet(cursor.get("inheritable"), fallback.inheritable),
    permitted: capabilitySet(cursor.get("permitted"), fallback.permitted),
    effective: capabilitySet(cursor.get("effective"), fallback.effective),
    bounding: capabilitySet(cursor.get("bounding"), fallback.bounding),
    ambient: capabilitySet(cursor.get("ambient"), fallback.ambient),
  };
}

function capabilitySet(cursor: Cursor, fallback: CapabilitySet): CapabilitySet {
  if (!cursor.exists()) {
    return fallback;
  }
  if (cursor.isList()) {
    return fromNames(cursor.items());
  }
  const text = cursor.text("");
  if (text === "all" || text === "none") {
    return text === "all" ? ALL_CAPABILITIES : NO_CAPABILITIES;
  }
  if (!/^0x[0-9a-f]{1,16}$/i.test(text)) {
    throw cursor.error(`${JSON.stringify(text)} is not a capability set ("all", "none", 0x… or a list of names)`);
  }
  const digits = text.slice(2).padStart(16, "0");
  return [parseInt(digits.slice(8), 16), parseInt(digits.slice(0, 8), 16)];
}

function fromNames(names: Cursor[]): CapabilitySet {
  let low = 0;
  let high = 0;
  for (const cursor of names) {
    const name = cursor.text("").toLowerCase();
    const bit = CAPABILITIES.indexOf(name.replace(/^cap_/, ""));
    if (bit < 0) {
      throw cursor.error(`unknown capability ${JSON.stringify(name)}`);
    }
    low |= bit < 32 ? 1 << bit : 0;
    high |= bit >= 32 ? 1 << (bit - 32) : 0;
  }
  return [low >>> 0, high >>> 0];
}
