import { connect } from "node:net";

/**
 * GET over connections that stay open, each asking again when it has its answer:
 * what a client costs must not hide what a server costs.
 * @returns answers per second
 */
export async function loadHttp(
  url: string,
  { connections, ms }: { connections: number; ms: number },
): Promise<number> {
  const { hostname, port, pathname, search } = new URL(url);
  const request = `GET ${pathname}${search} HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`;
  let answers = 0;
  let isOver = false;
  const ask = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect(Number(port), hostname);
      socket.setNoDelay(true);
      let head = "";
      let left = 0;
      const finish = () => {
        answers++;
        if (isOver) socket.destroy();
        else socket.write(request);
      };
      socket.on("data", (chunk) => {
        let at = 0;
        while (at < chunk.length) {
          if (left > 0) {
            const take = Math.min(left, chunk.length - at);
            left -= take;
            at += take;
            if (left === 0) finish();
            continue;
          }
          head += chunk.toString("latin1", at);
          const end = head.indexOf("\r\n\r\n");
          if (end < 0) return;
          if (!/^HTTP\/1\.1 200 /.test(head)) {
            socket.destroy();
            reject(new Error(head.slice(0, 200)));
            return;
          }
          const before = head.length - (chunk.length - at);
          at += end + 4 - before;
          left = Number(/^content-length: (\d+)/im.exec(head)?.[1]);
          head = "";
        }
      });
      socket.on("error", reject);
      socket.on("close", () => resolve());
      socket.write(request);
    });
  const asking = Promise.all(Array.from({ length: connections }, ask));
  const started = performance.now();
  await Promise.race([asking, new Promise((resolve) => setTimeout(resolve, ms))]);
  const rate = (1000 * answers) / (performance.now() - started);
  isOver = true;
  await asking;
  return rate;
}
