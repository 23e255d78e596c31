import { BlockList, isIPv4, isIPv6 } from "node:net";

// Its check of IPv6 sees through IPv4-mapped addresses such as ::ffff:127.0.0.1.
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/**
 * Whether only this machine can reach a port that listens on `host`. Names other
 * than `localhost` are not looked up: what they stand for may change.
 */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === "localhost") return true;
  if (isIPv4(host)) return LOOPBACK.check(host, "ipv4");
  return isIPv6(host) && LOOPBACK.check(host, "ipv6");
}
