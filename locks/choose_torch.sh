#!/usr/bin/env bash
# Print which training lock this machine takes.
# Usage: locks/choose_torch.sh PYTHON auto|cpu|cuda
set -eu
cd "$(dirname "$0")/.."
python=$1 wanted=$2

case $wanted in
cuda) echo locks/training-cuda.txt ;;
cpu) echo locks/training-cpu.txt ;;
auto)
    # pip looks for a wheel that has one of the recorded hashes, and installs nothing.
    if "$python" -m pip install --dry-run --quiet --disable-pip-version-check --no-deps \
        --only-binary :all: --require-hashes -r locks/torch-cpu.in >/dev/null 2>&1; then
        echo locks/training-cpu.txt
    else
        cat >&2 <<'END'
No CPU build of torch was found, so the CUDA build is taken: it runs without a GPU too, but is a
download of several GB. For the CPU build, tell pip where PyTorch's CPU wheels are
(PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS), and run the same command again.
END
        echo locks/training-cuda.txt
    fi
    ;;
*)
    echo "edgederm: TORCH is auto, cpu or cuda; found '$wanted'." >&2
    exit 1
    ;;
esac
