/** Thrown into code that can't be stopped otherwise; the failure is known already. */
export class Stopped extends Error {}
