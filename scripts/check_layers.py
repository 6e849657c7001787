#!/usr/bin/python3
"""Checks that src/ keeps its layers: who may include whom (src/LAYERS), which component owns which
third-party library, and that what CMake links agrees. Prints each violation with file and line.

    scripts/check_layers.py [SOURCE_FOLDER]
"""

import pathlib
import re
import sys

# A library is included by these components only (and never in a header of another).
OWNERS = [
    (r"libpq|postgres_ext\.h|libpq-fe\.h", {"pg"}),
    (r"curl/|boost/beast|boost/asio", {"net", "server"}),
    (r"pg_query", {"sql"}),
    (r"libav\w+/|libsw\w+/|vips/|turbojpeg\.h|webp/|libheif/|avif/|png\.h|jpeglib\.h",
     {"functions"}),
    (r"magic\.h", {"functions", "media"}),
    (r"CLI/", {"cli", "functions"}),
    (r"histedit\.h|editline/", {"cli"}),
    (r"toml\+\+|toml\.h", {"config"}),
]  # fmt: skip

# Costly headers: fine in a .cpp, never in a header that others include.
SOURCE_ONLY = [r"nlohmann/json\.hpp", r"CLI/", r"toml\+\+", r"simdjson\.h", r"boost/", r"curl/"]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def read_layers(file):
    """{component: set of components it may include}, in the order of the file."""
    layers = {}
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, rest = line.partition(":")
        if not colon:
            fail(f"{file}:{number}: no colon in {line!r}")
        layers[name.strip()] = set(rest.split())
    return layers


def fail(text):
    sys.exit(text)


def check_order(layers):
    """A component may only use those that stand above it: so there can be no circle."""
    seen = set()
    for name, used in layers.items():
        for other in sorted(used - seen):
            yield f"src/LAYERS: {name} uses {other}, which does not stand above it"
        seen.add(name)


def check_include(where, component, is_header, quoted, target, layers):
    first = target.split("/")[0]
    if quoted:
        if target.startswith("../../tests/") and re.search(r"_test\.cpp:\d+$", where):
            return
        if "/" not in target:
            yield f'{where}: write the component too: #include "{component}/{target}"'
        elif first not in layers:
            yield f'{where}: "{target}" is of no component in src/LAYERS'
        elif first != component and first not in layers[component]:
            yield f"{where}: {component} may not include {first} (src/LAYERS)"
        return
    for pattern, owners in OWNERS:
        if re.match(pattern, target) and component not in owners:
            yield f"{where}: <{target}> belongs to {' and '.join(sorted(owners))} only"
    if is_header and any(re.match(pattern, target) for pattern in SOURCE_ONLY):
        yield f"{where}: <{target}> is too costly for a header; include it in the .cpp"


def is_public_header(file):
    return file.suffix == ".h" and not file.name.startswith("test_")


def check_sources(src, layers):
    for file in sorted([*src.glob("*/**/*.h"), *src.glob("*/**/*.cpp")]):
        relative = file.relative_to(src)
        component = relative.parts[0]
        if component not in layers:
            yield f"src/{relative}: {component} is not in src/LAYERS"
            continue
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
            if found := INCLUDE.match(line):
                quoted, target = found[1] == '"', found[2]
                where = f"src/{relative}:{number}"
                yield from check_include(
                    where, component, is_public_header(file), quoted, target, layers
                )


def check_links(src, layers):
    """DEPENDS of coppice_component names no component that may not be included."""
    for file in sorted(src.glob("*/CMakeLists.txt")):
        component = file.parent.name
        text = re.sub(r"#.*", "", file.read_text())
        for found in re.finditer(r"\bDEPENDS\s+([a-z_\s]+)", text):
            for other in found[1].split():
                if other in layers and other not in layers.get(component, set()):
                    yield f"src/{component}/CMakeLists.txt: links {other} (src/LAYERS forbids it)"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    src = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "src"
    layers = read_layers(src / "LAYERS")
    problems = [*check_order(layers), *check_sources(src, layers), *check_links(src, layers)]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
