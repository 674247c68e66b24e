"""
Make up uploads, led by which lines of the code they reach: ``make fuzz``.

``python -m tests.fuzz.upload --seconds 600`` sends bodies to a whole box, application to history,
and ends at the first that is answered with anything but a result or a documented refusal, takes
longer than LONGEST_S, or needs more than MOST_MB of memory.  Such a body is a finding: it stays in
the folder ``.fuzz``, and the exit status is 1.  With files as arguments they are sent instead, and
what came of them is printed.

What leads is coverage of the Python code: ours, Pillow's readers of headers, the parser of forms.
OpenCV's decoders are called with all that gets so far, and a crash in them is a finding, but they
do not lead.
"""

import argparse
import gc
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FINDINGS = ROOT / ".fuzz"
LONGEST_S = 10
MOST_MB = 300
"""Beyond what the box has anyway: a PNG file of 25 megapixels takes four bytes a pixel, then three
twice."""
MOST_IN_ALL_MB = 3000
"""The fuzzer's own watch over the code takes 7 kB more with each input."""
MOST_GROWTH_MB = 2.0
"""For all inputs that reached more, asked again and again without that watch."""
_ROUNDS = 5
SEED = 1
LED_BY = ["device", "PIL", "python_multipart", "starlette"]
LIBRARIES = ("atheris", "opencv-python-headless", "pillow", "python-multipart", "starlette")
WORDS = (
    *(rf"\xff\x{marker:02x}" for marker in (0xC0, 0xC2, 0xC4, 0xD9, 0xDA, 0xDB, 0xE1, 0xE2, 0xFE)),
    *("IHDR", "PLTE", "IDAT", "IEND", "tRNS", "eXIf", "acTL", "fcTL", "iCCP", "zTXt"),
    *(r"Exif\x00\x00", r"MPF\x00", "JFIF", "Adobe", "ICC_PROFILE"),
    *(r"\x0d\x0a--frontier", r"\x0d\x0a\x0d\x0a", "Content-Disposition: ", "filename*=utf-8''"),
)
"""What lies in such files, as libFuzzer writes a dictionary."""


def main():
    parser = argparse.ArgumentParser(description="Make up uploads and look for a wrong answer.")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("files", nargs="*", type=Path, help="findings to send again")
    options = parser.parse_args()
    if options.files:
        return send(options.files)
    with tempfile.TemporaryDirectory() as folder:
        result = fuzz(Path(folder), options.seconds)
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 1 if result["findings"] else 0


def send(files):
    from tests.fuzz.box import open_box

    with tempfile.TemporaryDirectory() as folder, open_box(folder) as box:
        for file in files:
            sys.stdout.write(f"{file}: {box.ask(file.read_bytes())}\n")
    return 0


def fuzz(folder, seconds):
    """Run the fuzzer in a process of its own, which a finding may end in any way."""
    from tests.fuzz.box import LONGEST_BYTES
    from tests.fuzz.seeds import seeds

    corpus = folder / "corpus"
    corpus.mkdir()
    for name, content in seeds().items():
        (corpus / name).write_bytes(content)
    words = folder / "words"
    words.write_text("".join(f'"{word}"\n' for word in WORDS))
    FINDINGS.mkdir(exist_ok=True)
    known = set(FINDINGS.iterdir())
    answers = folder / "answers.json"
    state = folder / "state"
    state.mkdir()
    command = [
        *(sys.executable, "-c", "from tests.fuzz.upload import child; child()"),
        *(str(corpus), str(answers), str(state)),
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST_BYTES}",
        f"-timeout={LONGEST_S}",
        f"-rss_limit_mb={MOST_IN_ALL_MB}",
        f"-seed={SEED}",
        f"-dict={words}",
        f"-artifact_prefix={FINDINGS}/",
        "-print_final_stats=1",
    ]
    log = []
    # Tracebacks of findings come on standard output, all else on the other.
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace"
    ) as running:
        for line in running.stdout:
            sys.stderr.write(line)
            log.append(line)
    found = sorted(file.name for file in set(FINDINGS.iterdir()) - known)
    if running.returncode and not found:
        found = [f"the fuzzer ended with status {running.returncode}: {''.join(log[-5:])}"]
    growth_mb = 0.0 if found else grown_mb(corpus)
    if growth_mb > MOST_GROWTH_MB:
        found = [f"expected at most {MOST_GROWTH_MB} MB of growth, found {growth_mb:.1f}"]
        shutil.copytree(corpus, FINDINGS / "corpus", dirs_exist_ok=True)
    return {
        "seconds": seconds,
        **figures("".join(log)),
        "growth_mb": round(growth_mb, 2),
        "answers": json.loads(answers.read_text()) if answers.exists() else {},
        "findings": found,
        "versions": {library: version(library) for library in LIBRARIES},
        "load": round(os.getloadavg()[0], 1),
    }


def grown_mb(corpus):
    """What it costs to be asked all of *corpus* again and again; the first time fills buffers."""
    from tests.fuzz.box import open_box

    contents = [file.read_bytes() for file in sorted(corpus.iterdir())]
    with tempfile.TemporaryDirectory() as state, open_box(state) as box:
        for number in range(1 + _ROUNDS):
            for content in contents:
                box.ask(content)
            gc.collect()
            if number == 0:
                first_mb = memory_mb("VmRSS")
        return memory_mb("VmRSS") - first_mb


def figures(log):
    """What libFuzzer says at the end; 0 where it did not come so far."""
    states = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)/", log)
    edges, features, corpus = states[-1] if states else (0, 0, 0)
    told = dict(re.findall(r"stat::(\w+):\s+(\d+)", log))
    return {
        "executions": int(told.get("number_of_executed_units", 0)),
        "coverage_edges": int(edges),
        "coverage_features": int(features),
        "inputs_that_reached_more": int(corpus),
        "slowest_s": int(told.get("slowest_unit_time_sec", 0)),
        "peak_mb": int(told.get("peak_rss_mb", 0)),
    }


def memory_mb(kind):
    """Of this process, as the kernel names it: VmRSS now, VmHWM at most."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{kind}:\s+(\d+)", status)[1]) * 1024 / 1e6


def child():
    """Never returns: libFuzzer ends the process."""
    import atheris

    corpus, answers, state, *options = sys.argv[1:]
    logging.disable(logging.WARNING)
    with atheris.instrument_imports(include=LED_BY):
        from tests.fuzz.box import open_box
        from tests.fuzz.seeds import PNG, with_checksums

        opened = open_box(state)
        box = opened.__enter__()

    def ask(data):
        before_mb = memory_mb("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak is measured anew
        box.ask(data)
        if (cost_mb := memory_mb("VmHWM") - before_mb) > MOST_MB:
            raise MemoryError(f"expected at most {MOST_MB} MB for an input, found {cost_mb:.0f}")
        # Each time: libFuzzer's end leaves no chance to do it then, and it costs a hundredth.
        Path(answers).write_text(json.dumps(dict(sorted(box.answers.items()))))

    def mutate(data, longest, _seed):
        changed = atheris.Mutate(data, longest)
        return with_checksums(changed) if changed[:1] == bytes([PNG]) else changed

    atheris.Setup([sys.argv[0], *options, corpus], ask, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
