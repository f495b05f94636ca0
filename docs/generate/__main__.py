"""`python -m docs.generate` writes what is generated; `--check` only says what is old, and which links are dead."""

from __future__ import annotations

import sys

from docs.generate import faults, generated


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        found = faults()
        print("\n".join(found) or "Everything generated is new, and every link leads somewhere.")
        return 1 if found else 0
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    for path, text in generated().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"Written: {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
