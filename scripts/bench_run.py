#!/usr/bin/env python3
"""Measures whole runs of `pagemill ocr` beside Tesseract's own program, on the same pages in the same run.

bench_run.py PAGEMILL [PAGES_DIR]: PAGES_DIR is by default $PAGEMILL_CORPUS/pages, else samples/. Prints a table in
Markdown. CPU seconds are user + system of the process and of all its children; runs are interleaved, medians quoted.
"""
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 3
# Enough that starting the children and the last page, when one of two has nothing to do, weigh little.
RUN_PAGES_MIN = 48
MEMORY_RUN_PAGES = 1000
SAMPLE_SECONDS = 0.05


class Run:
    """A finished process: wall and CPU seconds (children included), own CPU seconds, own peak memory in MiB."""

    def __init__(self, command, quiet=True):
        environment = dict(os.environ, OMP_THREAD_LIMIT="1")
        sink = subprocess.DEVNULL if quiet else None
        start = time.monotonic()
        process = subprocess.Popen(command, env=environment, stdout=sink, stderr=sink)
        self.own_cpu, self.peak_mib = 0.0, 0.0
        while True:
            self._sample(process.pid)
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(SAMPLE_SECONDS)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.wall = time.monotonic() - start
        self.cpu = usage.ru_utime + usage.ru_stime
        if process.returncode != 0:
            sys.exit(f"bench: {' '.join(map(str, command))} ended with {process.returncode}")

    def _sample(self, pid):
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            self.own_cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    self.peak_mib = int(line.split()[1]) / 1024
        except (FileNotFoundError, ProcessLookupError):
            pass


def tesseract(pages, folder):
    cpu = 0.0
    for page in pages:
        cpu += Run(["tesseract", str(page), str(folder / page.stem), "-l", "vie"]).cpu
    return cpu


def pagemill(program, pages_dir, folder, workers, formats="pdf,txt"):
    command = [program, "ocr", str(pages_dir), "-o", str(folder), "--workers", str(workers), "--formats", formats]
    return Run(command)


def link_pages(pages, folder, count):
    """`count` pages under different names, by repeating what is there."""
    folder.mkdir()
    for number in range(count):
        page = pages[number % len(pages)]
        shutil.copyfile(page, folder / f"{number + 1:05}{page.suffix}")
    return folder


def main():
    program = sys.argv[1]
    default = pathlib.Path(os.environ["PAGEMILL_CORPUS"]) / "pages" if "PAGEMILL_CORPUS" in os.environ else "samples"
    pages_dir = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else default)
    pages = sorted(path for path in pages_dir.iterdir() if path.suffix in (".jpg", ".png", ".tif"))
    with tempfile.TemporaryDirectory(prefix="pagemill-bench-") as scratch:
        measure(program, pages, pathlib.Path(scratch))


def measure(program, pages, scratch):
    count = max(RUN_PAGES_MIN, len(pages))
    inputs = link_pages(pages, scratch / "in", count)
    beside, one, two = [], [], []
    for number in range(ROUNDS):
        (scratch / "tesseract").mkdir(exist_ok=True)
        beside.append(tesseract(pages, scratch / "tesseract"))
        one.append(pagemill(program, inputs, scratch / f"one-{number}", 1))
        two.append(pagemill(program, inputs, scratch / f"two-{number}", 2))
    again = [pagemill(program, inputs, scratch / "one-0", 1).wall for _ in range(ROUNDS)]
    median = statistics.median
    ratio = median(run.cpu / count / (other / len(pages)) for run, other in zip(one, beside))
    speedup = median(a.wall / b.wall for a, b in zip(one, two))
    share = median(run.own_cpu / run.cpu for run in one)
    print(f"{len(pages)} pages, repeated to {count} for Pagemill; {ROUNDS} interleaved rounds, medians\n")
    print("| measure | goal | measured |\n| --- | --- | --- |")
    print(f"| `tesseract`, CPU s/page | – | {median(beside) / len(pages):.2f} |")
    print(f"| `pagemill ocr` (PDF/A and text), CPU s/page | – | {median(run.cpu for run in one) / count:.3f} |")
    print(f"| … beside `tesseract` | ≤ 1.0× | {ratio:.2f}× |")
    print(f"| two workers beside one, wall | ≥ 1.9× | {speedup:.2f}× |")
    print(f"| the parent's share of the CPU (coordinator, store, PDF) | – | {100 * share:.1f} % |")
    print(f"| a run with nothing to do, {count} pages, wall | – | {median(again):.2f} s |")
    memory(program, pages, scratch)


def memory(program, pages, scratch):
    """A thousand strips of a page: the parent's memory must not grow with pages."""
    strip = scratch / "strip.jpg"
    subprocess.run(["convert", str(pages[0]), "-crop", "1240x240+600+900", "+repage", str(strip)], check=True)
    thousand = link_pages([strip], scratch / "thousand", MEMORY_RUN_PAGES)
    run = pagemill(program, thousand, scratch / "thousand-out", 2)
    again = pagemill(program, thousand, scratch / "thousand-out", 2)
    print(f"| the parent's peak memory, {MEMORY_RUN_PAGES} pages | ≤ 150 MB | {run.peak_mib:.0f} MiB |")
    print(f"| the same again with nothing to do, wall | ≤ 2 s | {again.wall:.2f} s |")


if __name__ == "__main__":
    main()
