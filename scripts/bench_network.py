#!/usr/bin/env python3
"""Measures the recognition network alone, of both engines and of each kernel, on the same pages in the same run.

bench_network.py [--every N]: builds the program of `cargo bench -p pagemill-recognition --bench reading`, which reads the pages of
PAGEMILL_CORPUS, else of samples/, and prints a table in Markdown. The clock is `perf record`'s cpu-clock: its samples are told apart by
function. Tesseract's gates and matrix products have no names in Debian's library: what has none there counts as network, half a per cent
of it wrongly. The time that OpenMP takes from Tesseract is not counted, and its engine looks again at fewer lines.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

TESSERACT_NETWORK = re.compile(
    r"0x[0-9a-f]{8,}|tesseract::(NetworkIO|Network|LSTM|StrideMap|FullyConnected|Convolve|Maxpool|Series|Parallel|Reversed|Reconfig"
    r"|Plumbing|WeightMatrix|IntSimdMatrix|TransposedArray|Input)\b")
NATIVE_NETWORK = re.compile(r"::native::network::")
RUNS = [("tesseract", None), *(("native", kernel) for kernel in ("avx512vnni", "avx2", "neon", "portable"))]
ROUNDS = 3


def reading_program():
    """Builds the bench; cargo says where it is."""
    command = ["cargo", "bench", "--locked", "-p", "pagemill-recognition", "--bench", "reading", "--no-run"]
    said = subprocess.run(command, text=True, check=True, stderr=subprocess.PIPE).stderr
    return re.search(r"Executable .*\((.+)\)", said)[1]


def network_ms(program, engine, kernel, arguments):
    """Milliseconds a page that the network takes; None for a kernel that this processor has not."""
    environment = dict(os.environ, OMP_THREAD_LIMIT="1")
    if kernel:
        environment["PAGEMILL_KERNEL"] = kernel
    with tempfile.NamedTemporaryFile() as data:
        command = [program, "--set", "corpus", "--engine", engine, "--alone", *arguments]
        record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "-o", data.name, *command]
        recorded = subprocess.run(record, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if kernel and "PAGEMILL_KERNEL: one of" in recorded.stderr:
            return None
        if recorded.returncode != 0:
            sys.exit(f"bench_network: perf record ended with {recorded.returncode}: {recorded.stderr}")
        report = ["perf", "report", "-i", data.name, "--no-children", "--stdio", "-F", "period,dso,symbol"]
        lines = subprocess.run(report, text=True, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    pages = int(re.search(r"(\d+) pages", recorded.stdout)[1])
    library, network = ("libtesseract", TESSERACT_NETWORK) if engine == "tesseract" else ("reading", NATIVE_NETWORK)
    nanoseconds = 0
    for line in lines.splitlines():
        found = re.match(r"\s*(\d+)\s+(\S+)\s+(.*)", line)
        if found and found[2].startswith(library) and network.search(found[3]):
            nanoseconds += int(found[1])
    return nanoseconds / 1e6 / pages


def main():
    if not shutil.which("perf"):
        print("SKIPPED: the network alone is measured with perf (Debian: linux-perf)", file=sys.stderr)
        return
    program = reading_program()
    rounds = [[network_ms(program, *run, sys.argv[1:]) for run in RUNS] for _ in range(ROUNDS)]
    print("| the network alone | ms/page | |\n| --- | --- | --- |")
    for index, (_, kernel) in enumerate(RUNS):
        if rounds[0][index] is None:
            continue
        ratios = sorted(times[index] / times[0] for times in rounds)
        name = "Tesseract" if kernel is None else f"native, `{kernel}`"
        times = sorted(times[index] for times in rounds)
        print(f"| {name} | {times[ROUNDS // 2]:.0f} | {ratios[ROUNDS // 2]:.3f}× |")


main()
