"""A link between two TUN devices, with a rate, a delay and losses of its own.

Orders come as JSON lines on stdin: {"kbps": 400, "loss": 0.05, "delay_ms": 20, "is_dark": false}.
"""
import fcntl
import heapq
import json
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
# What a link of a home holds: half a second at 400 kbit/s.
QUEUE_BYTES = 25_000


def open_tun(name):
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return tun


def main():
    chance = random.Random(7)
    ends = [open_tun("mp-a"), open_tun("mp-b")]
    link = {"kbps": None, "loss": 0, "delay_ms": 0, "is_dark": False}
    free_at = [0.0, 0.0]
    due = []
    count = 0
    print("ready", flush=True)
    while True:
        wait = max(0, due[0][0] - time.monotonic()) if due else 1
        readable, _, _ = select.select([*ends, sys.stdin], [], [], wait)
        now = time.monotonic()
        if sys.stdin in readable:
            line = sys.stdin.readline()
            if not line:
                return
            link.update(json.loads(line))
        for side, end in enumerate(ends):
            if end not in readable:
                continue
            try:
                packet = os.read(end, 65536)
            except BlockingIOError:
                continue
            if link["is_dark"] or chance.random() < link["loss"]:
                continue
            leaves = max(now, free_at[side])
            if link["kbps"]:
                bytes_per_second = link["kbps"] * 125
                if (leaves - now) * bytes_per_second > QUEUE_BYTES:
                    continue
                leaves += len(packet) / bytes_per_second
            free_at[side] = leaves
            count += 1
            heapq.heappush(due, (leaves + link["delay_ms"] / 1000, count, 1 - side, packet))
        now = time.monotonic()
        while due and due[0][0] <= now:
            _, _, side, packet = heapq.heappop(due)
            try:
                os.write(ends[side], packet)
            except OSError:
                pass


main()
