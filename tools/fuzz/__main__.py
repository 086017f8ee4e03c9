"""Let a fuzzer that sees which code each case reaches search for one that fails.

    python -m tools.fuzz TARGET [FOLDER] [-runs=N] [-seed=N] [-max_total_time=SECONDS] ...

The folder keeps the cases that reached something new. A case that fails is left as a file, and belongs into `FOUND`
of test_fuzz.py. `atheris` must be installed.
"""

from pathlib import Path
import sys

import atheris

with atheris.instrument_imports(include=["custom_components.iec62056.protocol"]):
    from tools.fuzz.corpus import SEEDS, WORDS
    from tools.fuzz.fed import FedLine
    from tools.fuzz.targets import TARGETS

# Floods without an end took nearly all the time of the conversations. test_fuzz.py lets them last.
FLOOD = 30.0


def main() -> None:
    """Begin with the seeds of the target."""
    name, *options = sys.argv[1:]
    folder = next((Path(one) for one in options if not one.startswith("-")), None)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(SEEDS[name]):
            (folder / f"seed-{number}").write_bytes(seed)
        dictionary = folder.parent / "words"
        quoted = ("".join(f"\\x{octet:02x}" for octet in word) for word in WORDS)
        dictionary.write_text("".join(f'"{word}"\n' for word in quoted), "ascii")
        options.append(f"-dict={dictionary}")
    FedLine.flood = FLOOD
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
