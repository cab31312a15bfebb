/** What things cost on the virtual CPUs: nanoseconds, and how CPUs are arranged. */
export interface Prices {
  /** An access to a line that the CPU has, and a read-modify-write of one that it owns. */
  readonly hit: number;
  readonly rmw: number;
  /** A line comes from another CPU of the same socket, or from one of another socket. */
  readonly near: number;
  readonly far: number;
  /** CPUs of a socket. */
  readonly socket: number;
  /** How long a CPU keeps a line that it has fetched for writing before it has to let go of it. */
  readonly hold: number;
  /** What it takes to go to sleep, to wake somebody, and for who was woken to run again. */
  readonly sleep: number;
  readonly wake: number;
  readonly latency: number;
}

/** The middle of the {@link SWEEP}. */
export const PRICES: Prices = {
  hit: 1,
  rmw: 6,
  near: 50,
  far: 120,
  socket: 64,
  hold: 15,
  sleep: 500,
  wake: 500,
  latency: 2000,
};

/** One set of parameters of the machine. */
export interface SweepPoint {
  readonly name: string;
  readonly prices: Prices;
  /** Local work is multiplied with it. */
  readonly work: number;
}

/** Line transfers within a socket and between two, as they are found from the quickest to the slowest machines. */
const TRANSFERS = [
  { name: "30/90", near: 30, far: 90 },
  { name: "100/250", near: 100, far: 250 },
];
/**
 * Whoever has fetched a line gets a load and a swap done before it has to go. With nothing at all, loops of compare-and-swap
 * would hardly ever succeed, which no machine lets happen.
 */
const HOLDS = [5, 30];
const WORKS = [0.5, 2];

/** The middle, and every corner around it: what is shown is the band from the least to the largest outcome. */
export const SWEEP: readonly SweepPoint[] = [{ name: "middle", prices: PRICES, work: 1 }, ...corners()];

function corners(): SweepPoint[] {
  return TRANSFERS.flatMap(({ name, near, far }) =>
    HOLDS.flatMap((hold) =>
      WORKS.map((work) => ({
        name: `transfer ${name}, hold ${hold}, work x${work}`,
        prices: { ...PRICES, near, far, hold },
        work,
      })),
    ),
  );
}
