/**
 * What a path walk into a process directory may arrive at.
 *
 * A pid has one life after the other; a life is told from others by its generation, and by the time at which it started.
 * A node that a walk has arrived at once belongs to one life for good. `states` are what the pid may have been while the
 * reader walked, oldest first.
 *
 * - A name is found, or a node still good, only if a life was there at some moment of the walk: for a node, the node's own.
 *   Never a life that was over before, never the next one in place of it.
 * - A name is not found, or a node no longer good, only if there was a moment without such a life. A process that execs
 *   from another thread lives on, however its leader changes.
 * - What is told of a process (generation, start, owner) belongs to one state of it. The owner of a directory is the
 *   effective user and group of one moment. The owner of a file is that or root, by whether the process can be dumped;
 *   the kernel looks at both one after the other, so both may be of different moments.
 * - A thread's directory is there while the thread and the process are. A thread may take over its leader's pid while a
 *   walk looks at it: then it may be told its owner as a leader.
 * - Entries of fd and map_files are there while the descriptor is open and the range mapped; what an entry leads to, and
 *   the mode of its link, are those of one moment.
 *
 * Both kinds of walks, in RCU mode and with references, are judged by this. So they agree: where only one answer is
 * allowed, both give it.
 */

/** User and group. */
export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/** What an entry of fd or map_files leads to, and the mode of its link. */
export interface Link {
  readonly text: string;
  readonly mode: number;
}

/** One state of a process. */
export interface Life extends Ids {
  readonly generation: number;
  /** Nanoseconds of boot time. */
  readonly start: number;
  /** False also for a process without memory. */
  readonly dumpable: boolean;
  /** Generation that its leader's tid had when the leader was a thread, before it took over; null if it never was. */
  readonly ledBy: number | null;
  /** Its one thread beside the leader. */
  readonly thread: (Ids & { readonly generation: number }) | null;
  /** Entries of fd and map_files, by their path below the process directory. */
  readonly links: ReadonlyMap<string, Link>;
}

/** What a pid was between two ticks: a life, or free. */
export interface PidState {
  readonly from: number;
  readonly until: number;
  readonly life: Life | null;
}

/** What a walk to a process told. */
export interface SeenProcess extends Ids {
  readonly generation: number;
  readonly start: number;
}

/** A walk by name takes whichever life there is. */
export const ANY_LIFE = null;

/**
 * Judges a walk to a process directory.
 * @param seen null: it is gone
 * @param wanted generation of the node that was walked to; ANY_LIFE if it was a name
 */
export function judgeProcess(
  seen: SeenProcess | null,
  wanted: number | null,
  states: readonly PidState[],
): string | null {
  const lives = livesOf(states, wanted);
  if (seen === null) return judgeGone("the process", lives, states);
  const same = (life: Life): boolean =>
    life.generation === seen.generation && life.start === seen.start && sameIds(life, seen);
  return lives.some(same) ? null : wrong(`process ${JSON.stringify(seen)} was found`, states);
}

/** What a walk to a thread's directory told. */
export interface SeenThread extends Ids {
  readonly generation: number;
}

/**
 * Judges a walk to task/TID.
 * @param process generation of the process
 * @param wanted generation of the thread's node, or ANY_LIFE for its name
 */
export function judgeThread(
  seen: SeenThread | null,
  process: number,
  wanted: number | null,
  states: readonly PidState[],
): string | null {
  const lives = livesOf(states, process);
  const having = lives.filter(({ thread }) => thread !== null && (wanted ?? thread.generation) === thread.generation);
  if (seen === null) return judgeGone("the thread", having, states);
  const found = having.filter(({ thread }) => thread?.generation === seen.generation);
  const same = found.some(({ thread }) => thread !== null && sameIds(thread, seen));
  const leads = found.length > 0 && lives.some((life) => life.ledBy === seen.generation && sameIds(life, seen));
  return same || leads ? null : wrong(`thread ${JSON.stringify(seen)} was found`, states);
}

/** Judges the owner of a file of a process directory. @param seen null: it is gone */
export function judgeFileOwner(seen: Ids | null, wanted: number, states: readonly PidState[]): string | null {
  const lives = livesOf(states, wanted);
  if (seen === null) return judgeGone("the file", lives, states);
  const isRoot = seen.uid === 0 && seen.gid === 0;
  if (isRoot && lives.some(({ dumpable }) => !dumpable)) return null;
  const open = lives.some(({ dumpable }) => dumpable) && lives.some((life) => sameIds(life, seen));
  return open ? null : wrong(`a file belonged to ${seen.uid}:${seen.gid}`, states);
}

/** Judges ids that the text of a file shows. @param uid null: the process is gone */
export function judgeUid(uid: number | null, wanted: number, states: readonly PidState[]): string | null {
  const lives = livesOf(states, wanted);
  if (uid === null) return judgeGone("the process of an open file", lives, states);
  return lives.some((life) => life.uid === uid) ? null : wrong(`a file said user ${uid}`, states);
}

/**
 * Judges a walk to an entry of fd or map_files.
 * @param name its path; a node of map_files knows only where its range starts: the path up to there
 * @param seen what was told of it, in whole or in part; null: it is gone
 */
export function judgeLink(
  name: string,
  seen: Partial<Link> | null,
  wanted: number,
  states: readonly PidState[],
): string | null {
  const linksOf = (life: Life): Link[] =>
    Array.from(life.links).flatMap(([path, link]) => (path.startsWith(name) ? [link] : []));
  const lives = livesOf(states, wanted).filter((life) => linksOf(life).length > 0);
  if (seen === null) return judgeGone(name, lives, states);
  const same = ({ text, mode }: Link): boolean => (seen.text ?? text) === text && (seen.mode ?? mode) === mode;
  return lives.some((life) => linksOf(life).some(same)) ? null : wrong(`${name} was ${JSON.stringify(seen)}`, states);
}

/** Something is gone only if not every state had it. */
function judgeGone(what: string, having: readonly Life[], states: readonly PidState[]): string | null {
  return having.length < states.length ? null : wrong(`${what} was said to be gone`, states);
}

function livesOf(states: readonly PidState[], wanted: number | null): Life[] {
  return states.flatMap(({ life }) =>
    life !== null && (wanted === ANY_LIFE || life.generation === wanted) ? [life] : [],
  );
}

function sameIds(a: Ids, b: Ids): boolean {
  return a.uid === b.uid && a.gid === b.gid;
}

function wrong(what: string, states: readonly PidState[]): string {
  return `${what}; possible: ${states.slice(-4).map(lifeText).join(", then ")}`;
}

function lifeText({ life }: PidState): string {
  if (life === null) return "nobody";
  const { generation, start, uid, gid, dumpable, thread, links } = life;
  const more = [dumpable ? "dumpable" : "closed", thread === null ? "alone" : `thread ${JSON.stringify(thread)}`];
  const entries = Array.from(links, ([name, { text, mode }]) => `${name} -> ${text} ${mode.toString(8)}`);
  return `life ${generation} since ${start} of ${uid}:${gid} (${[...more, ...entries].join(", ")})`;
}
