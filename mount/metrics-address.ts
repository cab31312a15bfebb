/** Where metrics are served: what `--metrics [HOST:]PORT` says. */
import { MountError } from "./errors.ts";

export interface MetricsAddress {
  /** A name or an address; IPv6 without brackets. */
  host: string;
  /** 0: any free one. */
  port: number;
}

/** Nobody but this machine sees them unless asked for. */
const LOOPBACK = "127.0.0.1";
const HIGHEST_PORT = 65535;

/** Reads PORT, HOST:PORT or [IPV6]:PORT. @throws MountError ESYNTH_OPTION */
export function parseMetricsAddress(given: string | number): MetricsAddress {
  const match = /^(?:(?:\[([0-9a-f:.]+(?:%\w+)?)\]|([\w.-]+)):)?(\d{1,5})$/i.exec(String(given));
  const port = match === null ? NaN : Number(match[3]);
  if (match === null || !(port <= HIGHEST_PORT)) {
    throw new MountError(
      "ESYNTH_OPTION",
      `Metrics are served on PORT, HOST:PORT or [IPV6]:PORT, with a port from 0 to ${HIGHEST_PORT}, not on "${given}".`,
    );
  }
  return { host: match[1] ?? match[2] ?? LOOPBACK, port };
}

/** HOST:PORT, as a URL has it. */
export function addressText({ host, port }: MetricsAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
