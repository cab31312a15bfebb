/** Inode numbers of the scenario's sockets, known before they are made: net/tcp lists what fd/ links to. */
import type { HostSocket } from "../../proc/host-view.ts";
import type { Fd, Group, Scenario } from "../scenario-types.ts";
import { processCounts } from "./census.ts";

export type SocketFd = Extract<Fd, { kind: "socket" }>;

/** Inodes that a kernel has given away before the first service starts. */
const FIRST_SOCKET_INODE = 10_000;
/** Rows of net/* that a scenario lists at most: every thread of the server keeps a copy. */
const MAX_LISTED = 20_000;

/** Sockets of captured processes and of listeners have one inode; others one for each process and repetition. */
export class SocketPlan {
  private readonly first: number[][] = [];
  private readonly listeners = new Map<string, number>();
  private readonly scenario: Scenario;
  private readonly counts: number[];
  private next = FIRST_SOCKET_INODE;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.counts = processCounts(scenario);
    for (const group of scenario.groups) this.first.push(group.fds.map((fd) => this.reserve(fd, group)));
  }

  /** The inode of repetition `repeat` of a group's descriptor `fd`, in the process with this index in the group. */
  inode(group: Group, fd: number, member: number, repeat: number): number {
    const socket = group.fds[fd] as SocketFd;
    const first = this.first[group.index]?.[fd] as number;
    const single = socket.inode !== null || socket.state === "listen";
    return single ? first : first + member * socket.count + repeat;
  }

  /** The first inode that no socket of the scenario has. */
  end(): number {
    return this.next;
  }

  /** Sockets that have a name, for net/*. */
  named(): HostSocket[] {
    const rows = new Map<number, HostSocket>();
    for (const group of this.scenario.groups) {
      for (let fd = 0; fd < group.fds.length; fd++) this.addNamed(group, fd, rows);
    }
    return [...rows.values()];
  }

  private addNamed(group: Group, fd: number, rows: Map<number, HostSocket>): void {
    const socket = group.fds[fd] as Fd;
    if (socket.kind !== "socket" || (socket.local === "" && socket.remote === "")) return;
    const { family, local, remote, state } = socket;
    const count = this.counts[group.index] as number;
    for (let member = 0; member < count; member++) {
      for (let repeat = 0; repeat < socket.count && rows.size < MAX_LISTED; repeat++) {
        const inode = this.inode(group, fd, member, repeat);
        if (!rows.has(inode)) rows.set(inode, { family, local, remote, state, uid: group.uids[1], inode });
      }
    }
  }

  private reserve(fd: Fd, group: Group): number {
    if (fd.kind !== "socket") return 0;
    if (fd.inode !== null) return fd.inode;
    if (fd.state === "listen") return this.listener(fd);
    const first = this.next;
    this.next += fd.count * (this.counts[group.index] as number);
    return first;
  }

  /** Whoever listens at an address does so on one socket, which is inherited. */
  private listener(fd: SocketFd): number {
    const key = listenerKey(fd);
    const known = this.listeners.get(key);
    if (known !== undefined) return known;
    this.listeners.set(key, this.next);
    return this.next++;
  }
}

/** What makes two listening descriptors the same socket. */
export function listenerKey(fd: SocketFd): string {
  return `${fd.family} ${fd.local}`;
}
